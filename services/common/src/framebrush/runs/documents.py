"""The documents of a run: its plan, its status, and the times of its frames."""

from collections.abc import Callable, Iterator
from functools import lru_cache

from framebrush.contracts import BlobRef, Manifest, State, Status, Timeline
from framebrush.errors import BlobNotFound
from framebrush.runs.names import ACTIVE_PREFIX, STATUS_PREFIX, RunBlobs
from framebrush.storage import Store


class RunDocuments:
    """Reads the documents of an installation's runs."""

    def __init__(self, store: Store, container: str) -> None:
        """Set where the documents are. Nothing is read yet.

        Args:
            store: Where the blobs are.
            container: The name of the work container.
        """
        self.store, self.container = store, container
        self.manifest: Callable[[str], Manifest] = lru_cache(maxsize=64)(self._manifest)
        """Return the plan of a run, which never changes.

        Raises:
            BlobNotFound: The run is not planned yet.
        """

    def blobs(self, run_id: str) -> RunBlobs:
        """Return the names of a run's blobs."""
        return RunBlobs(self.container, run_id)

    def exists(self, ref: BlobRef) -> bool:
        """Return whether a blob exists. A step that was done is not done again."""
        try:
            self.store.stat(ref)
        except BlobNotFound:
            return False
        return True

    def _manifest(self, run_id: str) -> Manifest:
        return Manifest.decode(self.store.read(self.blobs(run_id).manifest))

    def timeline(self, run_id: str, segment: int, chunk: int = 0) -> Timeline:
        """Return the times of a decoded chunk.

        Raises:
            BlobNotFound: The chunk is not decoded yet.
        """
        return Timeline.decode(self.store.read(self.blobs(run_id).timeline(segment, chunk)))

    def status(self, run_id: str) -> Status:
        """Return how a run stands.

        Raises:
            BlobNotFound: There is no such run.
        """
        return Status.decode(self.store.read(self.blobs(run_id).status))

    def state(self, run_id: str) -> State | None:
        """Return the state of a run; None if there is no such run."""
        try:
            return self.status(run_id).state
        except BlobNotFound:
            return None

    def active(self, run_id: str) -> bool:
        """Return whether a run exists and has not ended. Messages of other runs are passed over."""
        state = self.state(run_id)
        return state is not None and not state.ended

    def listed(self) -> Iterator[str]:
        """Yield the runs that the index of active runs names. Some may have ended; see :meth:`Runs.unlist`."""
        for blob in self.store.list(self.container, ACTIVE_PREFIX):
            yield blob.ref.name.removeprefix(ACTIVE_PREFIX)

    def ids(self, prefix: str = "") -> Iterator[tuple[str, State | None]]:
        """Yield the runs whose ids begin with ``prefix``, and their states, from a listing: no status is read.

        A state is None where the listing does not tell it, since a stranger or another version wrote the status.
        """
        for blob in self.store.list(self.container, STATUS_PREFIX + prefix):
            found = blob.metadata.get("state")
            state = State(found) if found in list(State) else None
            yield blob.ref.name.removeprefix(STATUS_PREFIX).removesuffix(".json"), state
