"""Measures how fast a stage is, and estimates when a run will be done."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW = 60.0
"""The seconds of the past that count."""


class Throughput:
    """Measures frames per second over the last minute, with pauses."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._samples: deque[tuple[float, int]] = deque()

    def record(self, time: float, frames: int) -> None:
        """Note that ``frames`` frames in all were done at ``time``, in seconds of a clock that only goes forward."""
        self._samples.append((time, frames))
        # The newest sample before the window stays: from there the window's first frames are counted.
        while len(self._samples) > 2 and self._samples[1][0] <= time - self._window:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Return the frames per second; None until a frame was done."""
        if not self._samples:
            return None
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if after > before else None


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage is."""

    done: int
    rate: float | None


def estimate(frames: int, stages: Mapping[str, StageProgress]) -> float | None:
    """Return the seconds until the slowest stage is done with ``frames``, or None as long as that is unknown.

    The stages work at the same time, so the run takes as long as the slowest. Frames are encoded a segment at a time:
    until the first one, the encoder is taken to keep pace with the stages before it.
    """
    remaining = {name: frames - stage.done for name, stage in stages.items() if stage.done < frames}
    known = {name: left / rate for name, left in remaining.items() if (rate := stages[name].rate)}
    if set(remaining) - set(known) - {"encoded"}:
        return None
    return max(known.values(), default=None)
