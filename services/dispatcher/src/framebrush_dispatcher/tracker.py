"""Keeps the status of the active runs up to date, and says how many there are and whether they move."""

import logging
import time
from datetime import UTC, datetime

from prometheus_client import Gauge

from framebrush.contracts import State, Status
from framebrush.errors import BlobNotFound
from framebrush.runs import Runs, measure

log = logging.getLogger(__name__)

_active = Gauge("framebrush_runs_active", "Runs that have not ended.", ["state"])
_oldest_progress = Gauge(
    "framebrush_oldest_progress_timestamp_seconds",
    "When the active run that waits longest last made progress (Unix time); the present if no run is active.",
)


class Tracker:
    """Measures the active runs, all of them on every call: nothing is remembered, so a restart loses nothing.

    Long runs have many blobs to list: at most a tenth of the time is spent on it.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs, self._due = runs, 0.0
        self._tell([])

    def __call__(self) -> None:
        """Bring the progress of every active run up to date, unless that was done just now."""
        started = time.monotonic()
        if started < self._due:
            return
        found = list[Status]()
        for run_id, state in self._runs.ids():
            if not state.ended:
                try:
                    found.append(self._track(run_id) if state is State.RUNNING else self._runs.status(run_id))
                except BlobNotFound as error:  # deleted while we looked
                    log.info("not tracked: %s", error)
        self._tell([status for status in found if not status.state.ended])
        self._due = time.monotonic() + 9 * (time.monotonic() - started)

    def _tell(self, active: list[Status]) -> None:
        for state in (State.PLANNING, State.RUNNING):
            _active.labels(state).set(sum(status.state is state for status in active))
        oldest = min((status.updated for status in active), default=datetime.now(UTC))
        _oldest_progress.set(oldest.timestamp())

    def _track(self, run_id: str) -> Status:
        progress, stages = measure(self._runs, run_id)

        def measured(status: Status) -> Status | None:
            if status.progress == progress:
                return None
            return status.model_copy(update={"progress": progress, "stages": status.stages | stages})

        return self._runs.update(run_id, measured)
