"""The life cycle of a run: it is created, changes under the ETag of its status, ends once, and may be reopened."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from prometheus_client import Counter

from framebrush.contracts import Failure, SegmentPlanned, State, Status
from framebrush.errors import BlobNotFound, Conflict, FramebrushError
from framebrush.runs.attempts import attempts
from framebrush.runs.documents import RunDocuments

_ended = Counter("framebrush_runs_ended_total", "Runs that this process ended.", ["state"])
for _state in (State.SUCCEEDED, State.FAILED):  # Only the command line cancels runs.
    _ended.labels(_state)


class Runs(RunDocuments):
    """The runs of an installation.

    Every change of a status is conditional. If storage refuses the condition, the status that is there now decides. If
    it is the one that was to be written, only the answer got lost, and the change has succeeded. Otherwise the change
    is tried again.

    An index names the active runs, so that nobody has to look at all that have ended. A run is in it before it is
    active, and leaves it after its end. A crash in between leaves a name too many, which whoever meets it takes away.
    """

    def create(self, status: Status) -> bool:
        """Write the first status of a run.

        Returns:
            True if this call created the run, False if the run exists already.

        Raises:
            Unavailable: Storage refuses the write although there is no such run.
        """
        if not status.state.ended and not self.exists(self.blobs(status.run_id).status):
            self.list_active(status.run_id)
        for _ in attempts(self.blobs(status.run_id).status):
            try:
                self._write(status, if_match=None)
            except Conflict:
                try:
                    if self.status(status.run_id) != status:
                        return False
                except BlobNotFound:
                    continue
            break
        if status.state.ended:
            _ended.labels(status.state).inc()
        return True

    def update(self, run_id: str, change: Callable[[Status], Status | None]) -> Status:
        """Read the status, change it and write it. Do so again if another process wrote in between.

        Args:
            run_id: The run.
            change: A function that returns the new status, or None to leave it as it is. It is called once for each
                attempt.

        Returns:
            The status as it is now. The status of a run that has ended does not change.

        Raises:
            BlobNotFound: There is no such run.
            Unavailable: Storage refuses all attempts.
        """
        ref, written = self.blobs(run_id).status, None
        for _ in attempts(ref):
            try:
                etag = self.store.stat(ref).etag
                status = Status.decode(self.store.read(ref, etag=etag))
                if status == written:  # The attempt before wrote it, and its answer was lost.
                    break
                new = change(status)
                if status.state.ended or new is None or new == status:
                    break
                written = status = new.model_copy(update={"updated": datetime.now(UTC)})
                self._write(status, if_match=etag)
                break
            except Conflict:
                continue
        return status

    def end(self, run_id: str, state: State, *, generation: int | None = None, **fields: object) -> bool:
        """End a run, once. The first call that ends it decides how it ends.

        Args:
            run_id: The run.
            state: The state in which it ends.
            generation: How often the run had been reopened when the cause of its end came about. If it was reopened
                since, the cause lies in the past and the run goes on. None ends the run in any case.
            fields: The values of further fields of the status.

        Returns:
            Whether this call ended the run.

        Raises:
            BlobNotFound: There is no such run.
            Unavailable: Storage refuses all attempts.
        """
        now, won = datetime.now(UTC), False

        def change(status: Status) -> Status | None:
            nonlocal won
            won = not status.state.ended and (generation is None or generation >= status.generation)
            return status.model_copy(update={"state": state, "ended": now, **fields}) if won else None

        self.update(run_id, change)
        if won:
            _ended.labels(state).inc()
            with suppress(FramebrushError):  # The run has ended all the same; the dispatcher takes it out later.
                self.unlist(run_id)
        return won

    def list_active(self, run_id: str) -> None:
        """Put a run into the index of active runs."""
        self.store.write(self.blobs(run_id).active, b"")

    def unlist(self, run_id: str) -> None:
        """Take a run out of the index of active runs, unless it is active: it may be reopened at this moment."""
        self.store.delete([self.blobs(run_id).active])
        if self.active(run_id):
            self.list_active(run_id)

    def fail(self, run_id: str, failure: Failure, *, generation: int | None = None) -> bool:
        """End a run as failed, with a reason. All else is as in :meth:`end`."""
        return self.end(run_id, State.FAILED, generation=generation, error=failure)

    def reopen(self, run_id: str) -> list[SegmentPlanned]:
        """Let a failed run go on where it stopped.

        While it was failed, its messages were passed over. The messages returned make all that is missing again; what
        is there already is found and not done twice. If several reopen a run at the same time, one writes the
        status, and all get such messages.

        Returns:
            The messages, of the segments from which all that is missing follows: at most those of a window. There are
            none before the run is planned, or if it has ended otherwise.

        Raises:
            BlobNotFound: There is no such run.
            Unavailable: Storage refuses all attempts.
        """
        ref = self.blobs(run_id).status
        for _ in attempts(ref):
            try:
                etag = self.store.stat(ref).etag
                status = Status.decode(self.store.read(ref, etag=etag))
                if status.state is State.FAILED:
                    self.list_active(run_id)
                    state = State.RUNNING if status.frames else State.PLANNING
                    changes = {"state": state, "generation": status.generation + 1, "ended": None, "error": None}
                    status = status.model_copy(update={**changes, "updated": datetime.now(UTC)})
                    self._write(status, if_match=etag)
                break
            except Conflict:
                continue
        if status.state is not State.RUNNING:
            return []
        segments = self._unfinished(run_id)
        return [SegmentPlanned(run_id=run_id, segment=segment, generation=status.generation) for segment in segments]

    def _unfinished(self, run_id: str) -> list[int]:
        """Return the first segment that is not encoded of each row of segments that are handed out one after the other.

        In a row, a window lies from one segment to the next. If all are encoded, the last one is looked at again, from
        which the join follows.
        """
        manifest, blobs = self.manifest(run_id), self.blobs(run_id)
        count, last = len(manifest.segments), manifest.renditions[-1].number
        there = {blob.ref for blob in self.store.list(self.container, blobs.encoded_prefix(last))}
        missing = {segment for segment, chunk in manifest.chunks if blobs.encoded(segment, last, chunk) not in there}
        window = manifest.window or count
        return sorted({segment % window: segment for segment in sorted(missing, reverse=True)}.values()) or [count - 1]

    def _write(self, status: Status, *, if_match: str | None) -> None:
        # The state goes into the metadata too: a listing then tells which runs are active.
        self.store.write(
            self.blobs(status.run_id).status,
            status.encode(),
            metadata={"state": status.state},
            if_match=if_match,
            if_absent=if_match is None,
        )
