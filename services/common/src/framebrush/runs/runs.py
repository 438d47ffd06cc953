"""A run's blobs: where they are, and the rules by which its manifest and status change."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

from prometheus_client import Counter

from framebrush.contracts import (
    BlobRef,
    Document,
    Failure,
    Manifest,
    SegmentPlanned,
    State,
    Status,
    Timeline,
)
from framebrush.errors import BlobNotFound, Conflict
from framebrush.runs.names import STATUS_PREFIX, RunBlobs
from framebrush.storage import Store

_ended = Counter("framebrush_runs_ended_total", "Runs that this process ended.", ["state"])
for _state in (State.SUCCEEDED, State.FAILED):  # a person cancels, from the command line
    _ended.labels(_state)


class Runs:
    """The runs of an installation."""

    def __init__(self, store: Store, container: str) -> None:
        self.store, self.container = store, container
        self.manifest: Callable[[str], Manifest] = lru_cache(maxsize=64)(self._manifest)
        """The plan of a run, which never changes.

        Raises:
            BlobNotFound: the run is not planned yet.
        """

    def blobs(self, run_id: str) -> RunBlobs:
        """The names of a run's blobs."""
        return RunBlobs(self.container, run_id)

    def exists(self, ref: BlobRef) -> bool:
        """Whether a blob is there: a step that was done is not done again."""
        try:
            self.store.stat(ref)
        except BlobNotFound:
            return False
        return True

    def _manifest(self, run_id: str) -> Manifest:
        return Manifest.decode(self.store.read(self.blobs(run_id).manifest))

    def timeline(self, run_id: str, segment: int) -> Timeline:
        """The times of a decoded segment.

        Raises:
            BlobNotFound: the segment is not decoded yet.
        """
        return Timeline.decode(self.store.read(self.blobs(run_id).timeline(segment)))

    def status(self, run_id: str) -> Status:
        """How a run stands.

        Raises:
            BlobNotFound: no such run.
        """
        return Status.decode(self.store.read(self.blobs(run_id).status))

    def active(self, run_id: str) -> bool:
        """Whether the run wants work done; messages of other runs are passed over."""
        try:
            return not self.status(run_id).state.ended
        except BlobNotFound:
            return False

    def ids(self, prefix: str = "") -> Iterator[tuple[str, State | None]]:
        """Yield the runs whose ids begin with ``prefix``, and their states, without a look at their status.

        A state is None where a listing does not tell it: somebody else wrote the status, or another version did.
        """
        for blob in self.store.list(self.container, STATUS_PREFIX + prefix):
            found = blob.metadata.get("state")
            state = State(found) if found in list(State) else None
            yield blob.ref.name.removeprefix(STATUS_PREFIX).removesuffix(".json"), state

    def create(self, status: Status) -> bool:
        """Write a run's first status; False if the run exists already."""
        try:
            self._write(status, if_match=None)
        except Conflict:
            return False
        if status.state.ended:
            _ended.labels(status.state).inc()
        return True

    def update(self, run_id: str, change: Callable[[Status], Status | None]) -> Status:
        """Read, change, write, and again if somebody else wrote in between.

        ``change`` returns the new status, or None to leave it. A run that has ended stays as it ended.

        Raises:
            BlobNotFound: no such run.
        """
        while True:
            etag = self.store.stat(self.blobs(run_id).status).etag
            try:
                status = Status.decode(self.store.read(self.blobs(run_id).status, etag=etag))
                new = change(status)
                if status.state.ended or new is None or new == status:
                    return status
                new = new.model_copy(update={"updated": datetime.now(UTC)})
                self._write(new, if_match=etag)
            except Conflict:
                continue
            return new

    def end(self, run_id: str, state: State, *, generation: int | None = None, **fields: object) -> bool:
        """End a run, once: the first to say so decides.

        Args:
            run_id: The run.
            state: How it ends.
            generation: How often the run had been reopened when the cause of its end came about. If it was reopened
                since, the cause is of the past and the run goes on. None ends it in any case.
            fields: Further fields of the status.

        Returns:
            Whether this call ended the run.

        Raises:
            BlobNotFound: no such run.
        """
        now, won = datetime.now(UTC), False

        def change(status: Status) -> Status | None:
            nonlocal won
            won = not status.state.ended and (generation is None or generation >= status.generation)
            return status.model_copy(update={"state": state, "ended": now, **fields}) if won else None

        self.update(run_id, change)
        if won:
            _ended.labels(state).inc()
        return won

    def fail(self, run_id: str, failure: Failure, *, generation: int | None = None) -> bool:
        """End a run as failed, once; otherwise as :meth:`end`."""
        return self.end(run_id, State.FAILED, generation=generation, error=failure)

    def reopen(self, run_id: str) -> list[SegmentPlanned]:
        """Let a failed run go on where it stopped.

        While it was failed, its messages were passed over. The messages returned make all that is missing again; what
        is there already is found and not done twice. There are none before the run is planned, or once it has ended
        otherwise.

        Raises:
            BlobNotFound: no such run.
            Conflict: somebody else changed the status at the same time.
        """
        ref = self.blobs(run_id).status
        info = self.store.stat(ref)
        status = Status.decode(self.store.read(ref, etag=info.etag))
        if status.state is State.FAILED:
            state = State.RUNNING if status.frames else State.PLANNING
            changes = {"state": state, "generation": status.generation + 1, "ended": None, "error": None}
            status = status.model_copy(update={**changes, "updated": datetime.now(UTC)})
            self._write(status, if_match=info.etag)
        if status.state is not State.RUNNING:
            return []
        segments = range(len(self.manifest(run_id).segments))
        return [SegmentPlanned(run_id=run_id, segment=segment, generation=status.generation) for segment in segments]

    def _write(self, status: Status, *, if_match: str | None) -> None:
        # The state goes into the metadata too: a listing then tells which runs are active.
        self.store.write(
            self.blobs(status.run_id).status,
            status.encode(),
            metadata={"state": status.state},
            if_match=if_match,
            if_absent=if_match is None,
        )


def unchanged(document: Document, other: Document) -> bool:
    """Whether two documents say the same, but for the time they were written."""
    return document.model_dump(exclude={"created"}) == other.model_dump(exclude={"created"})
