"""Queue depths and replicas over time, measured; a file of them, and a picture."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """What there was at one moment."""

    seconds: float
    """Since the recorder started."""
    queues: dict[str, int]
    """Active messages."""
    wanted: dict[str, int]
    """Replicas that each deployment asks for."""
    ready: dict[str, int]
    nodes: dict[str, list[str]]
    """Where the pods of each stage are; those that wait for a node are left out."""


@dataclass
class Timeline:
    """Samples, about one a second, and marks of what happened when."""

    samples: list[Sample] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    gaps: list[tuple[float, str]] = field(default_factory=list)
    """When nothing could be measured, and why."""

    def first(self, condition: Callable[[Sample], bool], after: float = 0.0) -> float | None:
        """When a condition first held."""
        return next((each.seconds for each in self.samples if each.seconds >= after and condition(each)), None)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self)) + "\n")

    def plot(self, path: Path) -> None:
        """As a picture: messages above, replicas below."""
        import matplotlib as mpl

        mpl.use("agg")
        from matplotlib import pyplot as plt

        if not self.samples:
            return
        times = [each.seconds for each in self.samples]
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(11, 6), layout="constrained")
        for queue in self.samples[0].queues:
            above.plot(times, [each.queues[queue] for each in self.samples], label=queue)
        for name in self.samples[0].wanted:
            [line] = below.step(times, [each.ready[name] for each in self.samples], where="post", label=name)
            wanted = [each.wanted[name] for each in self.samples]
            below.step(times, wanted, where="post", linestyle=":", color=line.get_color(), alpha=0.6)
        for seconds, text in self.marks:
            for axes in (above, below):
                axes.axvline(seconds, color="0.6", linewidth=0.8)
            above.annotate(text, (seconds, 1), xycoords=("data", "axes fraction"), rotation=30, fontsize=8)
        above.set_ylabel("messages waiting or in hand")
        below.set_ylabel("pods ready (dotted: wanted)")
        below.set_xlabel("seconds")
        below.yaxis.get_major_locator().set_params(integer=True)
        for axes in (above, below):
            axes.legend(loc="upper right", fontsize=8)
            axes.grid(alpha=0.25)
        figure.savefig(path, dpi=110)
        plt.close(figure)


class Recorder(threading.Thread):
    """Samples until told to stop; what cannot be measured at the moment, with a pod away, leaves a gap."""

    def __init__(self, measure: Callable[[float], Sample]) -> None:
        super().__init__(name="recorder", daemon=True)
        self.timeline, self._measure = Timeline(), measure
        self._began, self._stop_event = time.monotonic(), threading.Event()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """Sample once a second, and once more at the end."""
        while not self._stop_event.wait(1.0):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        try:
            self.timeline.samples.append(self._measure(self.now))
        except Exception as error:  # noqa: BLE001 - the API server or the broker is being disturbed by a test
            self.timeline.gaps.append((self.now, type(error).__name__))

    def mark(self, text: str) -> float:
        """Note what happens now."""
        self.timeline.marks.append((now := self.now, text))
        return now

    def stop(self) -> Timeline:
        """End; returns what was recorded."""
        self._stop_event.set()
        self.join()
        return self.timeline
