"""What happens in the cluster from the moment in which every stage is at zero to the next."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framebrush.contracts import Status
from support.cluster import Cluster
from support.timeline import Recorder, Sample, Timeline

LIMIT = 600
"""Seconds that a run may take here, and that the way back to zero may."""


@dataclass
class Journey:
    """One run, from zero to zero, measured."""

    name: str
    cluster: Cluster
    recorder: Recorder
    done: float = 0.0
    """When the run ended, in seconds since the message was sent."""
    over: float = 0.0
    """When all was at zero again, in Unix time."""

    @property
    def run_id(self) -> str:
        """Of the run."""
        return self.cluster.run_id(self.name)

    @property
    def timeline(self) -> Timeline:
        """Queues, replicas and marks, by seconds since the message was sent."""
        return self.recorder.timeline

    def mark(self, text: str) -> None:
        """Note what happens now."""
        self.recorder.mark(text)

    def ended(self) -> Status:
        """Wait until the run has ended, well or not."""
        status = self.cluster.ended(self.run_id, LIMIT)
        self.done = self.recorder.mark(f"run {status.state}")
        return status

    def row(self, zero: float) -> dict[str, Any]:
        """What stands in the table."""
        first = self.timeline.first(_scorer_ready)
        return {
            "what": self.name,
            "result": "exact",
            "message to first scorer ready, s": None if first is None else round(first),
            "message to end of run, s": round(self.done),
            "end of run to all at zero, s": round(zero - self.done),
        }


Travel = Callable[[str], AbstractContextManager[Journey]]
"""Begins a journey of a name."""


def _scorer_ready(sample: Sample) -> bool:
    return any(count for name, count in sample.ready.items() if name.startswith("scorer"))


@contextmanager
def journey(cluster: Cluster, results: Path, rows: list[dict[str, Any]], name: str) -> Iterator[Journey]:
    """Wait for zero, let the block do its work and check it, wait for zero again.

    What was measured stays in ``results``, in any case; a journey that went well gets a row.
    """
    cluster.wait(f"{name}: all stages at zero", cluster.at_zero, LIMIT)
    begun = Journey(name, cluster, Recorder(cluster.sample))
    begun.recorder.start()
    try:
        yield begun
        assert begun.done, f"{name}: nobody waited for the end of the run"
        cluster.wait(f"{name}: all stages back at zero", cluster.at_zero, LIMIT)
        begun.over = time.time()
        rows.append(begun.row(begun.recorder.mark("all at zero")))
    finally:
        timeline = begun.recorder.stop()
        timeline.write(results / f"{name}.json")
        timeline.plot(results / f"{name}.png")


def table(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys as a table in Markdown."""
    if not rows:
        return ""
    cells = [[*rows[0]], ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
