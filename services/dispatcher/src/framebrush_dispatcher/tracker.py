"""Keeps the status of the active runs up to date."""

import logging
import time

from framebrush.errors import BlobNotFound
from framebrush.manifest import State, Status
from framebrush.runs import Runs

log = logging.getLogger(__name__)


class Tracker:
    """Measures the active runs, all of them on every call: nothing is remembered, so a restart loses nothing.

    Long runs have many blobs to list: at most a tenth of the time is spent on it.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs, self._due = runs, 0.0

    def __call__(self) -> None:
        """Bring the progress of every active run up to date, unless that was done just now."""
        started = time.monotonic()
        if started < self._due:
            return
        for run_id, state in self._runs.ids():
            if state is State.RUNNING:
                try:
                    self._track(run_id)
                except BlobNotFound as error:  # deleted while we looked
                    log.info("not tracked: %s", error)
        self._due = time.monotonic() + 9 * (time.monotonic() - started)

    def _track(self, run_id: str) -> None:
        progress, stages = self._runs.measure(run_id)

        def measured(status: Status) -> Status | None:
            if status.progress == progress:
                return None
            return status.model_copy(update={"progress": progress, "stages": status.stages | stages})

        self._runs.update(run_id, measured)
