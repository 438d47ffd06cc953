"""Mutated messages through the handlers of all queues, and the tally."""

import copy
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framebrush.contracts import QUEUES, BlobRef, LearnRequest, Message, RunEncoded, State, decode, find_run_id
from framebrush.errors import FramebrushError, PermanentError
from framebrush.messaging import run_context
from framebrush.storage import MemoryStore
from support.pipeline import Pipeline
from support.video import make_video

GOLDEN = Path(__file__).parents[1] / "contract" / "golden"
FORMS = {"triggers": ("run_request", "event_grid_event", "cloud_event", "events")}
"""Golden files of a queue that are no messages of the services' own."""
RUN = "fuzzed"
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31 - 1, 2**31, 2**63, -(2**63), 10**400, 0.5, 1e308, float("nan"), float("inf"),
    "", "0", "x" * 129, "x" * 5000, "../../etc/passwd", "\0", "\ud800", "é\u202e", [], {}, [[]], [{}], {"": None},
)  # fmt: skip
"""What a field may hold against its contract."""

Steps = random.Random


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each key or index in it."""
    found = list[tuple[Any, Any]]()
    if isinstance(document, dict | list):
        for key in document if isinstance(document, dict) else range(len(document)):
            found += [(document, key), *_places(document[key])]
    return found


def change(document: Any, steps: Steps) -> Any:
    where, key = steps.choice(_places(document))
    where[key] = copy.deepcopy(steps.choice(VALUES))
    return document


def nudge(document: Any, steps: Steps) -> Any:
    """A number becomes another one that its contract may allow."""
    numbers = [(where, key) for where, key in _places(document) if type(where[key]) is int]
    if numbers:
        where, key = steps.choice(numbers)
        where[key] += steps.choice((-2, -1, 1, 2, 100, 10**6))
    return document


def remove(document: Any, steps: Steps) -> Any:
    where, key = steps.choice(_places(document))
    del where[key]
    return document


def add(document: Any, steps: Steps) -> Any:
    dictionaries = [where for where, _ in _places(document) if isinstance(where, dict)]
    steps.choice(dictionaries or [{}])[steps.choice(("new", "version", "kind", "run_id", "frames"))] = steps.choice(
        VALUES
    )
    return document


def swap(document: Any, steps: Steps) -> Any:
    (a, i), (b, j) = steps.choice(_places(document)), steps.choice(_places(document))
    a[i], b[j] = copy.deepcopy(b[j]), copy.deepcopy(a[i])
    return document


def wrap(document: Any, steps: Steps) -> Any:
    return steps.choice(([document], [document, 7], [document, document], {"run_id": document}, json.dumps(document)))


def keep(document: Any, steps: Steps) -> Any:
    return document


MUTATIONS: tuple[Callable[[Any, Steps], Any], ...] = (change, change, nudge, nudge, remove, add, swap, wrap, keep)


def damage(body: bytes, steps: Steps) -> bytes:
    """The bytes of a message that was hurt on its way, or never was one."""
    data = bytearray(body)
    for _ in range(steps.choice((1, 1, 4, 32))):
        data[steps.randrange(len(data))] ^= 1 << steps.randrange(8)
    start = steps.randrange(len(data))
    return steps.choice((bytes(data), body[:start], body + body, body[start:], steps.randbytes(64), b"", b"[" * 60_000))


def mutate(original: Any, seed: int) -> bytes:
    """The same for the same seed: a message with one to three things wrong, in its content or in its bytes."""
    steps, document = Steps(seed), copy.deepcopy(original)
    for _ in range(steps.choice((1, 1, 2, 3))):
        if _places(document):
            document = steps.choice(MUTATIONS)(document, steps)
    body = json.dumps(document, ensure_ascii=True).encode()
    return damage(body, steps) if steps.random() < 0.15 else body


@dataclass
class Tally:
    """What became of a queue's messages."""

    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    """Messages at which a handler raised what nobody raises on purpose."""
    slowest: float = 0.0
    """Seconds."""
    unharmed: bool = True
    """Whether later runs through the same handlers gave the same bytes as before."""


def small_film(folder: Path) -> Path:
    """Write a film of 8 frames in two segments."""
    return make_video(folder / "film.mp4", size=(32, 24), pts=tuple(range(0, 8 * 512, 512)), gop=4)


class Target:
    """The handlers, and a run in mid-work for messages to hit."""

    def __init__(self, film: Path) -> None:
        self.film = film
        self.pipeline = Pipeline(segment_frames=4)
        name = json.loads((GOLDEN / "run_request.json").read_bytes())["input"]["name"]
        ref = self.pipeline.put(name, film.read_bytes())
        self.pipeline.submit(ref, RUN, batch_frames=2, preset="ultrafast")
        while not isinstance(self.pipeline.waiting[0], RunEncoded):
            self.pipeline.step()
        learn = LearnRequest.decode((GOLDEN / "learn_request.json").read_bytes())
        for ref in (BlobRef(container="styles", name=learn.picture), *learn.content):
            self.pipeline.store.write(ref, b"to learn from")
        self._snapshot = dict(self.pipeline.store._blobs)
        self.originals = {queue: self._collect(queue) for queue in QUEUES}
        self._reference = self._later_run("before")

    def _collect(self, queue: str) -> list[Any]:
        """The run's own messages of a queue, and the golden ones, hitting that run."""
        seen: list[Message] = [*self.pipeline.handled, *self.pipeline.waiting]
        found = [json.loads(message.encode()) for message in seen if message.queue == queue]
        golden = [json.loads(path.read_bytes()) for path in sorted(GOLDEN.iterdir())]
        names = FORMS.get(queue, ())
        found += [json.loads((GOLDEN / f"{name}.json").read_bytes()) for name in names]
        for document in golden:
            if isinstance(document, dict) and "kind" in document and queue != "triggers":
                if queue != LearnRequest.queue:
                    document["run_id"] = RUN
                found += [document] if self._fits(queue, document) else []
        return found

    @staticmethod
    def _fits(queue: str, document: Any) -> bool:
        try:
            decode(queue, json.dumps(document).encode(), input_container="input")
        except PermanentError:
            return False
        return True

    def _later_run(self, run_id: str) -> bytes:
        """The output of a new run through the same handlers."""
        self._restore()
        self.pipeline.waiting.clear()
        ref = self.pipeline.put(f"{run_id}.mp4", self.film.read_bytes())
        self.pipeline.sent.clear()
        self.pipeline.submit(ref, run_id, batch_frames=2, preset="ultrafast")
        while self.pipeline.waiting:
            self.pipeline.step()
        status = self.pipeline.runs.status(run_id)
        assert status.state is State.SUCCEEDED, status.error
        assert status.output is not None
        return self.pipeline.store.read(status.output)

    def _restore(self) -> None:
        store: MemoryStore = self.pipeline.store
        store._blobs.clear()
        store._blobs.update(self._snapshot)

    def hit(self, queue: str, seed: int, tally: Tally) -> None:
        """Handle one mutated message, as the worker would, from the state in mid-work."""
        originals = self.originals[queue]
        body = mutate(originals[seed % len(originals)], seed)
        self._restore()
        begun, run_id = time.monotonic(), find_run_id(body)
        with run_context(run_id):
            try:
                for outgoing in self.pipeline.handlers[queue](decode(queue, body, input_container="input")):
                    decode(outgoing.queue, outgoing.encode(), input_container="input")
                outcome = "handled"
            except PermanentError as error:
                outcome = f"refused: {error.reason}"
            except FramebrushError as error:
                outcome = f"again: {type(error).__name__}"
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                outcome = f"crashed: {type(error).__name__}"
                tally.crashes.append(f"{queue} {seed}: {error!r}: {body[:2000]!r}")
        tally.outcomes[outcome] += 1
        tally.slowest = max(tally.slowest, time.monotonic() - begun)

    def fuzz(self, queue: str, seeds: Iterable[int]) -> Tally:
        """Mutate with these seeds; a run that comes later must be as if nothing had happened."""
        tally = Tally()
        for seed in seeds:
            self.hit(queue, seed, tally)
        tally.unharmed = self._later_run(f"after-{queue}") == self._reference
        return tally
