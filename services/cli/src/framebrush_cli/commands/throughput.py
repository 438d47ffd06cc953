"""Measures how fast a stage is, and estimates when a run will be done."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW = 60.0
"""The seconds of the past that count."""


class Throughput:
    """Measures frames per second over the last minute.

    Frames come many at a time: those of a batch, or of a chunk. So the rate is that from one arrival to another, and
    the time since the last one counts once the next is overdue. Otherwise each pause would look like a stage that
    becomes slower and slower, and then is fast again.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._now = 0.0
        self._arrivals: deque[tuple[float, int]] = deque()
        """When there were more frames than before, and how many."""

    def record(self, time: float, frames: int) -> None:
        """Note that ``frames`` frames in all were done at ``time``, in seconds of a clock that only goes forward."""
        self._now = time
        if not self._arrivals or frames != self._arrivals[-1][1]:
            self._arrivals.append((time, frames))
        # The newest arrival before the window stays: from there the window's first frames are counted.
        while len(self._arrivals) > 1 and self._arrivals[1][0] <= time - self._window:
            self._arrivals.popleft()

    @property
    def rate(self) -> float | None:
        """Return the frames per second; None until a frame was done."""
        if len(self._arrivals) < 2:
            return None
        (start, before), (end, after) = self._arrivals[0], self._arrivals[-1]
        if after <= before:
            return None
        following = after + after - self._arrivals[-2][1]
        return min((after - before) / (end - start), (following - before) / (self._now - start))

    @property
    def pause(self) -> float:
        """Return the seconds since the last arrival."""
        return self._now - self._arrivals[-1][0] if self._arrivals else 0.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far a stage is."""

    done: int
    rate: float | None
    pause: float = 0.0
    """The seconds since the last of these frames were done. It has worked on the next ones meanwhile."""


def estimate(frames: int, stages: Mapping[str, StageProgress]) -> float | None:
    """Return the seconds until the slowest stage is done with ``frames``, or None as long as that is unknown.

    The stages work at the same time, so the run takes as long as the slowest. Frames are encoded a segment at a time:
    until the first one, the encoder is taken to keep pace with the stages before it.
    """
    remaining = {name: frames - stage.done for name, stage in stages.items() if stage.done < frames}
    known = {
        name: max(0.0, left / rate - stages[name].pause)
        for name, left in remaining.items()
        if (rate := stages[name].rate)
    }
    if set(remaining) - set(known) - {"encoded"}:
        return None
    return max(known.values(), default=None)
