"""Mutated films through the four services, and the tally."""

import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from framebrush.contracts import State
from framebrush.errors import Crashed
from framebrush.sandbox import Sandbox
from support.mutations import mutate
from support.pipeline import Pipeline
from support.torture import CASES

LARGEST = 2**18
"""Bytes of a film that is worth mutating: hits are rarer in larger ones."""
DV_FRAME = 144_000
"""Bytes of a frame of DV with its sound: a whole film of this format."""
MEMORY = 500
"""Megabytes that the sandbox may take."""
LIMITS = {"max_pixels": 500_000, "max_frame_time": 10.0, "max_plan_time": 20.0, "max_frames": 5000}
ORDINARY = ("invalid_video", "limit_exceeded", "unsupported_stream")
"""The reasons that a damaged film may have to be refused."""
SLOW = 5.0
"""The seconds of a film that is worth looking at."""
WORDS = {
    "decoder crashed": "a decoder that crashed",
    "took longer": "a decoder that took too long",
    "takes more memory": "a decoder that took too much memory",
}
"""What a reason's description tells further."""


@dataclass
class Tally:
    """What became of files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds."""
    memory: int = 0
    """Most bytes that a sandbox's process had in memory."""
    leaked: set[str] = field(default_factory=set)
    """Files that were left behind."""
    left: int = 0
    """Processes that were left behind."""
    notes: list[str] = field(default_factory=list)
    """Which file, for outcomes to look at."""

    def add(self, other: "Tally") -> None:
        self.outcomes += other.outcomes
        self.slowest, self.memory = max(self.slowest, other.slowest), max(self.memory, other.memory)
        self.leaked |= other.leaked
        self.left += other.left
        self.notes += other.notes


def films(folder: Path, only: str = "") -> dict[str, bytes]:
    """The small films of the torture set, by name; only those in whose names this regular expression is found."""
    cases = [case for case in CASES if "7680" not in case.name and re.search(only, case.file)]
    written = {case.file: case.write(folder).read_bytes() for case in cases}
    short = {name: data[:DV_FRAME] if name.endswith(".dv") else data for name, data in written.items()}
    return {name: data for name, data in short.items() if len(data) <= LARGEST}


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder that is the system's for temporary files meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def peak(sandboxes: list[psutil.Process]) -> int:
    """Most bytes that any of these has had in memory."""
    found = 0
    for process in sandboxes:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                found = max(found, int(line.split()[1]) * 1024)
    return found


def sandboxes() -> list[psutil.Process]:
    """The processes that open media for this one; zombies are among them."""
    children = psutil.Process().children()
    return [c for c in children if c.status() == psutil.STATUS_ZOMBIE or "framebrush.sandbox.child" in c.cmdline()]


def run(name: str, data: bytes, seed: int, sandbox: Sandbox, temporary: Path) -> Tally:
    """One mutated film from trigger to output."""
    mutated, what = mutate(data, seed)
    tally, begun = Tally(), time.monotonic()
    pipeline = Pipeline(sandbox=sandbox, segment_frames=8, **LIMITS)
    policy, convert = ("fail", "hold_previous")[seed % 2], seed % 3 == 0
    pipeline.submit(pipeline.put(name, mutated), preset="ultrafast", bad_frames=policy, convert_audio=convert)
    try:
        status = pipeline.run()
        outcome = "succeeded"
        if status.state is not State.SUCCEEDED:
            assert status.error is not None
            words = [word for text, word in WORDS.items() if text in status.error.description]
            outcome = ": ".join([status.error.reason, *words])
            if words or status.error.reason not in ORDINARY:
                tally.notes.append(f"{name} {seed} ({what}): {outcome}: {status.error.description[:300]}")
    except Crashed as error:
        outcome = "killed, to be tried again"
        tally.notes.append(f"{name} {seed} ({what}): {error}")
    except Exception as error:  # noqa: BLE001 - would be tried again, and fail as handler_failed
        outcome = f"handler_failed: {type(error).__name__}"
        tally.notes.append(f"{name} {seed} ({what}): {str(error)[-1500:]}")
    tally.outcomes[outcome] += 1
    tally.slowest = time.monotonic() - begun
    if tally.slowest > SLOW:
        tally.notes.append(f"{name} {seed} ({what}): {outcome} after {tally.slowest:.1f} s")
    tally.memory = peak(sandboxes())
    tally.leaked = {path.name for path in temporary.iterdir()}
    return tally


def fuzz(originals: dict[str, bytes], seeds: Iterable[int], end: float = math.inf) -> Tally:
    """Mutate with these seeds, films in turns, until this moment of the monotonic clock."""
    before, sandbox, tally, names = len(sandboxes()), Sandbox(MEMORY), Tally(), sorted(originals)
    with temporary() as folder:
        for seed in seeds:
            if time.monotonic() >= end:
                break
            name = names[seed % len(names)]
            tally.add(run(name, originals[name], seed, sandbox, folder))
    sandbox.close()
    tally.left = len(sandboxes()) - before
    return tally
