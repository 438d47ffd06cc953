"""Keeps the statuses of active runs up to date, and exports how many there are and whether they make progress."""

import logging
import time
from datetime import UTC, datetime

from prometheus_client import Gauge

from framebrush.contracts import State, Status
from framebrush.errors import BlobNotFound, Unavailable, Unfit
from framebrush.messaging import run_context
from framebrush.runs import Meter, Runs

log = logging.getLogger(__name__)

_active = Gauge("framebrush_runs_active", "Runs that have not ended.", ["state"])
_oldest_progress = Gauge(
    "framebrush_oldest_progress_timestamp_seconds",
    "When the active run that waits longest last made progress (Unix time); the present if no run is active.",
)
_unreadable = Gauge("framebrush_runs_unreadable", "Runs whose progress cannot be told, as their blobs cannot be read.")


SWEEP = 600.0
"""The seconds between two looks at all runs. In between, the index tells which are active. A crash at an unlucky moment
may have left a run out of it, and services of version 0.1 do not keep it."""


class Tracker:
    """Measures all active runs on every call, so that a restart loses nothing.

    At most a tenth of the time is spent on that.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs, self._due, self._sweep_due, self._meter = runs, 0.0, 0.0, Meter(runs)
        self._strays = set[str]()
        self._unreadable = dict[str, str]()
        """What is wrong with the runs that cannot be read; it is logged when it changes."""
        self._export([])

    def __call__(self) -> None:
        """Bring the progress of every active run up to date, unless that was done just now.

        A run that cannot be read does not keep others from being tracked.

        Raises:
            Unavailable: Storage is away.
            Unfit: Storage refuses our credentials, or there is no work container.
        """
        started = time.monotonic()
        if started < self._due:
            return
        if started >= self._sweep_due:
            self._sweep()
            self._sweep_due = started + SWEEP
        active, unreadable = list[Status](), dict[str, str]()
        for run_id in list(self._runs.listed()):
            try:
                status = self._look(run_id)
            except BlobNotFound as error:  # It was deleted, or is not there yet.
                log.debug("not tracked: %s", error)
                continue
            except (Unavailable, Unfit):
                raise
            except Exception as error:  # noqa: BLE001 - whatever its blobs hold, others are tracked
                unreadable[run_id] = f"{type(error).__name__}: {error}"
                continue
            if status.state.ended:
                self._runs.unlist(run_id)
            else:
                active.append(status)
        self._log_unreadable(unreadable)
        self._export(active)
        self._meter.forget({status.run_id for status in active})
        self._due = time.monotonic() + 9 * (time.monotonic() - started)

    def _sweep(self) -> None:
        """Put the runs into the index that are active by their statuses.

        Those that had no status at the last sweep and have none now are taken out: they were deleted.
        """
        listed, found = set(self._runs.listed()), dict(self._runs.ids())
        strays = listed - found.keys()
        for run_id in strays & self._strays:
            self._runs.unlist(run_id)
        self._strays = strays
        for run_id, state in found.items():
            if run_id not in listed and (state is None or not state.ended):
                self._runs.list_active(run_id)

    def _look(self, run_id: str) -> Status:
        """Return the status of a run, brought up to date if the run is running."""
        status = self._runs.status(run_id)
        return self._track(status) if status.state is State.RUNNING else status

    def _log_unreadable(self, unreadable: dict[str, str]) -> None:
        for run_id, problem in unreadable.items():
            if self._unreadable.get(run_id) != problem:
                with run_context(run_id):
                    log.warning("not tracked, as it cannot be read: %s", problem)
        self._unreadable = unreadable
        _unreadable.set(len(unreadable))

    def _export(self, active: list[Status]) -> None:
        for state in (State.PLANNING, State.RUNNING):
            _active.labels(state).set(sum(status.state is state for status in active))
        oldest = min((status.updated for status in active), default=datetime.now(UTC))
        _oldest_progress.set(oldest.timestamp())

    def _track(self, found: Status) -> Status:
        progress, stages = self._meter.measure(found.run_id)
        if found.progress == progress:
            return found

        def measured(status: Status) -> Status | None:
            if status.progress == progress:
                return None
            return status.model_copy(update={"progress": progress, "stages": status.stages | stages})

        return self._runs.update(found.run_id, measured)
