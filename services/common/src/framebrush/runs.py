"""A run's blobs: where they are, and the rules by which its manifest and status change."""

import collections
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from prometheus_client import Counter

from framebrush.documents import BlobRef, Document, FrameRange
from framebrush.errors import BlobNotFound, Conflict
from framebrush.manifest import Failure, Manifest, Progress, State, Status, Timeline, Timing
from framebrush.messages import SegmentPlanned
from framebrush.store import BlobInfo, Store

STATUS_PREFIX = "status/"
"""What the names of all runs' status begin with."""

_ended = Counter("framebrush_runs_ended_total", "Runs that this process ended.", ["state"])
for _state in (State.SUCCEEDED, State.FAILED):  # a person cancels, from the command line
    _ended.labels(_state)

_STAGES = {"frames": "split", "styled": "scored", "encoded": "encoded"}
"""What writes into which folder."""
_RANGE = re.compile(r"/(\d+)/(\d+)-(\d+)\.tar$")


@dataclass(frozen=True, slots=True)
class RunBlobs:
    """The names of a run's blobs. Frame ranges stand in the names, so that a listing tells what is there."""

    container: str
    run_id: str

    def _ref(self, name: str) -> BlobRef:
        return BlobRef(container=self.container, name=f"runs/{self.run_id}/{name}")

    @property
    def prefix(self) -> str:
        """What all names begin with."""
        return f"runs/{self.run_id}/"

    @property
    def status(self) -> BlobRef:
        """How the run stands; beside the other runs', so that listing them does not list their frames."""
        return BlobRef(container=self.container, name=f"{STATUS_PREFIX}{self.run_id}.json")

    @property
    def manifest(self) -> BlobRef:
        """The plan."""
        return self._ref("manifest.json")

    def timeline(self, segment: int) -> BlobRef:
        """The times of a segment's frames; there when the segment is decoded to its end."""
        return self._ref(f"timelines/{segment:06}.json")

    def pack(self, segment: int, frames: FrameRange) -> BlobRef:
        """Decoded frames."""
        return self._ref(f"frames/{segment:06}/{frames.first:08}-{frames.count:02}.tar")

    def styled(self, segment: int, frames: FrameRange, rendition: int = 0) -> BlobRef:
        """Scored frames."""
        folder = numbered("styled", rendition)
        return self._ref(f"{folder}/{segment:06}/{frames.first:08}-{frames.count:02}.tar")

    def styled_prefix(self, segment: int, rendition: int = 0) -> str:
        """What the names of a segment's styled packs begin with."""
        return f"{self.prefix}{numbered('styled', rendition)}/{segment:06}/"

    def encoded(self, segment: int, rendition: int = 0) -> BlobRef:
        """An encoded segment."""
        return self._ref(f"{numbered('encoded', rendition)}/{segment:06}.nut")

    def encoded_prefix(self, rendition: int = 0) -> str:
        """What the names of a rendition's encoded segments begin with."""
        return f"{self.prefix}{numbered('encoded', rendition)}/"

    def encoded_report(self, segment: int, rendition: int = 0) -> BlobRef:
        """What encoding a segment told; there before the segment is."""
        return self._ref(f"{numbered('reports', rendition)}/{segment:06}.json")

    @property
    def report(self) -> BlobRef:
        """What came out of the run."""
        return self._ref("report.json")

    @property
    def intermediate_prefixes(self) -> tuple[str, ...]:
        """What the names of all frames and encoded segments begin with, of all renditions."""
        return tuple(f"{self.prefix}{kind}" for kind in ("frames", "styled", "encoded"))


def numbered(folder: str, rendition: int) -> str:
    """The folder of a rendition: the first one's has the plain name."""
    return f"{folder}.{rendition}" if rendition else folder


def frames_of(ref: BlobRef) -> FrameRange:
    """The frames in a pack or styled pack, from its name."""
    match = _RANGE.search(ref.name)
    if match is None:
        raise ValueError(f"{ref} is not a pack")
    return FrameRange(first=int(match[2]), count=int(match[3]))


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

    def ids(self, prefix: str = "") -> Iterator[tuple[str, State]]:
        """The runs whose ids begin with ``prefix``, and their states."""
        for blob in self.store.list(self.container, STATUS_PREFIX + prefix):
            yield blob.ref.name.removeprefix(STATUS_PREFIX).removesuffix(".json"), State(blob.metadata["state"])

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

    def end(self, run_id: str, state: State, **fields: object) -> bool:
        """End a run, once: the first to say so decides. True if that was this call."""
        now, won = datetime.now(UTC), False

        def change(status: Status) -> Status:
            nonlocal won
            won = not status.state.ended
            return status.model_copy(update={"state": state, "ended": now, **fields})

        self.update(run_id, change)
        if won:
            _ended.labels(state).inc()
        return won

    def fail(self, run_id: str, failure: Failure) -> bool:
        """End a run as failed, once."""
        return self.end(run_id, State.FAILED, error=failure)

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
            changes = {"state": state, "round": status.round + 1, "ended": None, "error": None}
            status = status.model_copy(update={**changes, "updated": datetime.now(UTC)})
            self._write(status, if_match=info.etag)
        if status.state is not State.RUNNING:
            return []
        segments = range(len(self.manifest(run_id).segments))
        return [SegmentPlanned(run_id=run_id, segment=segment, round=status.round) for segment in segments]

    def _write(self, status: Status, *, if_match: str | None) -> None:
        # The state goes into the metadata too: a listing then tells which runs are active.
        self.store.write(
            self.blobs(status.run_id).status,
            status.encode(),
            metadata={"state": status.state},
            if_match=if_match,
            if_absent=if_match is None,
        )

    def measure(self, run_id: str) -> tuple[Progress, dict[str, Timing]]:
        """How far the stages are, from the blobs that exist. A frame is past a stage when its last rendition is."""
        prefix, counts, timings = self.blobs(run_id).prefix, collections.Counter[str](), dict[str, Timing]()
        for blob in self.store.list(self.container, prefix):
            folder, _, name = blob.ref.name.removeprefix(prefix).partition("/")
            stage = _STAGES.get(folder.partition(".")[0])
            if stage is None:
                continue
            if stage == "encoded":
                counts[folder] += self.manifest(run_id).segments[int(name.partition(".")[0])].frames
            else:
                counts[folder] += frames_of(blob.ref).count
            timings[stage] = _add(timings.get(stage), blob)
        if not counts:
            return Progress(), timings
        last = self.manifest(run_id).renditions[-1].number
        scored, encoded = counts[numbered("styled", last)], counts[numbered("encoded", last)]
        return Progress(split=counts["frames"], scored=scored, encoded=encoded), timings


def work_metadata(started: datetime) -> dict[str, str]:
    """What a stage writes beside an output: when its work began and ended."""
    return {"started": started.isoformat(), "ended": datetime.now(UTC).isoformat()}


def _add(timing: Timing | None, blob: BlobInfo) -> Timing:
    """A stage's timing with one more output of its."""
    started, ended = (datetime.fromisoformat(blob.metadata[name]) for name in ("started", "ended"))
    busy = (ended - started).total_seconds()
    if timing is None:
        return Timing(started=started, ended=ended, busy=busy)
    return Timing(
        started=min(timing.started, started), ended=max(timing.ended, ended), busy=round(timing.busy + busy, 6)
    )


def unchanged(document: Document, other: Document) -> bool:
    """Whether two documents say the same, but for the time they were written."""
    return document.model_dump(exclude={"created"}) == other.model_dump(exclude={"created"})
