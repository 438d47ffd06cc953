"""Runs of any length whose frames are not made: what a run asks of storage and of the bus, counted.

Messages, handlers, documents and names of blobs are the real ones. Only what works on pixels is left out: decoding,
scoring and encoding, and the output.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from framebrush.contracts import (
    BlobRef,
    FrameRange,
    Incoming,
    Manifest,
    Message,
    Options,
    Segment,
    SegmentPlanned,
    State,
    Status,
    decode,
)
from framebrush.runs import Runs
from framebrush.storage import BlobInfo, MemoryStore
from framebrush_dispatcher.handler import Dispatcher
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_dispatcher.tracker import Tracker
from framebrush_scorer.pipeline import Scorer
from framebrush_scorer.settings import ScorerSettings
from framebrush_splitter import segments as splitting
from framebrush_splitter.handler import Splitter
from framebrush_splitter.plan import FRAME_BYTES, batch_size, chunk_size, pack_size
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import FRAME_HEADER
from framebrush_stitcher import handler as stitching
from framebrush_stitcher.handler import Stitcher
from framebrush_stitcher.settings import StitcherSettings
from support.pipeline import CONNECTIONS

WIDTH, HEIGHT, TICKS = 1280, 720, 512
PAGE, BATCH = 5000, 256
"""The names of a page of a listing, and the deletions of one request, at most."""
GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "manifest.json"


class CountingStore(MemoryStore):
    """A store that counts the requests that Azure would get."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = Counter[str]()

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        self.requests["read"] += 1
        return super().read(ref, start, length, etag=etag)

    def write(self, ref: BlobRef, data: bytes | BinaryIO, **options: Any) -> str:
        self.requests["write"] += 1
        return super().write(ref, data, **options)

    def stat(self, ref: BlobRef) -> BlobInfo:
        self.requests["read"] += 1
        return super().stat(ref)

    def list(self, container: str, prefix: str = "") -> Iterator[BlobInfo]:
        found = list(super().list(container, prefix))
        self.requests["list"] += max(1, -(-len(found) // PAGE))
        return iter(found)

    def delete(self, refs: Iterable[BlobRef]) -> None:
        gone = list(refs)
        self.requests["delete"] += -(-len(gone) // BATCH)
        super().delete(gone)


class NoSandbox:
    """Gives frames without decoding them."""

    def run(self, allowance: object, source: object, task: object, *arguments: Any, **options: object) -> Iterator[Any]:
        _, _, segment, *_ = arguments
        for number in range(segment.frames):
            yield memoryview(FRAME_HEADER.pack(segment.start + number * TICKS, TICKS, 0, False) + b"jpeg")


class EmptyPack:
    """A pack with places for frames, and without frames."""

    def __init__(self, count: int) -> None:
        self.offsets = list(range(0, 1024 * (count + 1), 1024))

    def finish(self) -> bytes:
        return b"pack"


def _packs(images: Iterable[bytes], size: int, codec: str, begin: int) -> Iterator[tuple[FrameRange, EmptyPack]]:
    stop = begin + sum(1 for _ in images)
    for first in range(begin, stop, size):
        yield FrameRange(first=first, count=min(size, stop - first)), EmptyPack(min(size, stop - first))


def _encode(frames: Any, timeline: Any, video: Any, options: Any, choice: Any, path: str, threads: int) -> int:
    for ref in frames._packs:
        frames._store.read(ref)
    Path(path).write_bytes(b"encoded")
    return 0


def leave_out_pixels(patch: pytest.MonkeyPatch) -> None:
    """Replace what works on pixels, and the output."""
    patch.setattr(splitting, "fill_packs", _packs)
    patch.setattr(stitching, "encode_segment", _encode)
    patch.setattr(Stitcher, "_write_output", _write_output)

    def score(self: Any, batch: Any, manifest: Manifest, renditions: Iterable[Any]) -> Iterator[tuple[Any, bytes]]:
        for rendition in renditions:
            self._store.read(self._runs.blobs(batch.run_id).pack(batch.segment, batch.pack), batch.start, batch.length)
            yield rendition, b"styled"

    patch.setattr(Scorer, "_score", score)


def _write_output(
    self: Stitcher, manifest: Manifest, arriving: Iterator[None], timelines: Any, reorder: int, output: Path
) -> tuple[Any, ...]:
    assert sum(1 for _ in arriving) == len(timelines)
    output.write_bytes(b"output")
    return ()


class Budget:
    """A run of so many frames in segments of 120, or in one segment, and what it has asked for so far."""

    def __init__(
        self, frames: int, *, run_id: str = "film", store: CountingStore | None = None,
        order: Callable[[int], int] = lambda count: 0, segment: int | None = 120,
        window: int | None = None,
    ) -> None:  # fmt: skip
        self.store, self.frames, self.run_id, self.order = store or CountingStore(), frames, run_id, order
        self.runs, self.messages = Runs(self.store, "work"), 0
        self.tracker = Tracker(Runs(self.store, "work"))
        split = Splitter(self.store, SplitterSettings(**CONNECTIONS), NoSandbox())  # type: ignore[arg-type]
        dispatch = Dispatcher(self.store, DispatcherSettings(**CONNECTIONS))
        stitch = Stitcher(self.store, StitcherSettings(**CONNECTIONS), NoSandbox())  # type: ignore[arg-type]
        self.handlers: dict[str, Callable[[Incoming], Iterator[Message]]] = {
            "splits": split,
            "frames": dispatch,
            "events": dispatch,
            "batches": Scorer(self.store, ScorerSettings(**CONNECTIONS)),
            "scored": stitch,
        }
        manifest = self._plan(segment or frames, window)
        self.waiting = deque[Message](
            SegmentPlanned(run_id=run_id, segment=number) for number in manifest.first_segments
        )
        self.sent = {message.message_id for message in self.waiting}

    def _plan(self, segment: int, window: int | None) -> Manifest:
        now, source = datetime.now(UTC), BlobRef(container="input", name="film.mp4")
        status = Status(
            run_id=self.run_id, state=State.RUNNING, created=now, updated=now, input=source, model="identity",
            frames=self.frames,
        )  # fmt: skip
        golden = Manifest.decode(GOLDEN.read_bytes())
        batch = batch_size(WIDTH, HEIGHT, None)
        starts = range(0, self.frames, segment)
        pack = pack_size(batch, int(FRAME_BYTES["jpeg"] * WIDTH * HEIGHT) + 1)
        manifest = golden.model_copy(
            update={
                "run_id": self.run_id,
                "model": "identity",
                "options": Options(),
                "more_outputs": (),
                "output": BlobRef(container="output", name=f"{self.run_id}.mp4"),
                "batch_frames": batch,
                "pack_frames": pack,
                "window": window,
                "chunk_frames": chunk_size(250, pack) if segment > 250 else None,
                "segments": tuple(
                    Segment(start=TICKS * first, end=TICKS * min(first + segment, self.frames), frames=count)
                    for first in starts
                    if (count := min(segment, self.frames - first))
                ),
            }
        )
        self.runs.create(status)
        self.store.write(golden.source.blob, b"film")
        self.store.write(self.runs.blobs(self.run_id).manifest, manifest.encode())
        return manifest

    def step(self) -> Message:
        """Handle one message, over the wire format."""
        self.waiting.rotate(-self.order(len(self.waiting)))
        message = self.waiting.popleft()
        self.handle(message)
        return message

    def handle(self, message: Message) -> None:
        """Handle a message; those that follow wait."""
        self.messages += 1
        received = decode(message.queue, message.encode(), input_container="input")
        for outgoing in self.handlers[message.queue](received):
            if outgoing.message_id not in self.sent:
                self.sent.add(outgoing.message_id)
                self.waiting.append(outgoing)

    def run(self) -> dict[str, float]:
        """Handle all messages; the requests and messages per 1,000 frames."""
        self.store.requests.clear()
        while self.waiting:
            self.step()
        assert self.runs.state(self.run_id) is State.SUCCEEDED
        counts = {**self.store.requests, "messages": self.messages}
        return {name: 1000 * count / self.frames for name, count in sorted(counts.items())}
