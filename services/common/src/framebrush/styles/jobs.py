"""Learning jobs: what they learn, how they stand, and what they have so far."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from framebrush.contracts import (
    BlobRef,
    LearningJob,
    LearningState,
    LearningStatus,
    LearnRequest,
    PinnedBlob,
    derive_job_id,
)
from framebrush.errors import BlobNotFound, Conflict
from framebrush.storage import Store, write_once

JOBS = "learning/"
"""What the names of all blobs of jobs begin with."""


class LearningJobs:
    """The jobs of an installation."""

    def __init__(self, store: Store, container: str) -> None:
        """Set where the jobs are. Nothing is read yet."""
        self._store, self._container = store, container

    def ref(self, job: str, part: str) -> BlobRef:
        """Return a blob of a job: ``job.json``, ``status.json``, ``checkpoint`` or ``preview.png``."""
        return BlobRef(container=self._container, name=f"{JOBS}{job}/{part}")

    def resolve(self, request: LearnRequest) -> LearningJob:
        """Return the job of a request, with its picture and its content as they are now.

        Raises:
            BlobNotFound: One of them does not exist.
        """
        picture = self._pin(BlobRef(container=self._container, name=request.picture))
        content = tuple(map(self._pin, request.content))
        job = derive_job_id(request, picture.etag, [blob.etag for blob in content])
        return LearningJob(job=job, request=request, picture=picture, content=content)

    def _pin(self, ref: BlobRef) -> PinnedBlob:
        blob = self._store.stat(ref)
        if blob.size == 0:
            raise BlobNotFound(f"{ref} is empty (0 bytes)")
        return PinnedBlob(blob=ref, etag=blob.etag, size=blob.size)

    def create(self, job: LearningJob) -> bool:
        """Begin a job; return False if it had begun before."""
        write_once(self._store, self.ref(job.job, "job.json"), job.encode())
        now = datetime.now(UTC)
        first = LearningStatus(
            job=job.job, name=job.request.name, state=LearningState.LEARNING, created=now, updated=now,
            steps=job.request.steps,
        )  # fmt: skip
        return write_once(self._store, self.ref(job.job, "status.json"), first.encode())

    def job(self, job: str) -> LearningJob:
        """Return what a job learns.

        Raises:
            BlobNotFound: There is no such job.
        """
        return LearningJob.decode(self._store.read(self.ref(job, "job.json")))

    def status(self, job: str) -> LearningStatus:
        """Return how a job stands.

        Raises:
            BlobNotFound: There is no such job.
        """
        return LearningStatus.decode(self._store.read(self.ref(job, "status.json")))

    def statuses(self) -> Iterator[LearningStatus]:
        """Yield how each job stands."""
        for blob in self._store.list(self._container, JOBS):
            if blob.ref.name.endswith("/status.json"):
                yield LearningStatus.decode(self._store.read(blob.ref))

    def update(self, job: str, **fields: Any) -> LearningStatus:
        """Change fields of a job's status, and return it as it is now. That of a job that has ended does not change."""

        def change(status: LearningStatus) -> LearningStatus:
            return status.model_copy(update=fields | {"updated": datetime.now(UTC)})

        return self._change(job, change)

    def reopen(self, job: str) -> LearningStatus:
        """Let a job that failed or was ended go on, and return its status."""

        def change(status: LearningStatus) -> LearningStatus:
            fields = {"state": LearningState.LEARNING, "error": None, "updated": datetime.now(UTC)}
            return status.model_copy(update=fields)

        return self._change(job, change, lambda status: status.state is not LearningState.SUCCEEDED)

    def _change(
        self,
        job: str,
        change: Callable[[LearningStatus], LearningStatus],
        allowed: Callable[[LearningStatus], bool] = lambda status: not status.state.ended,
    ) -> LearningStatus:
        ref = self.ref(job, "status.json")
        while True:
            etag = self._store.stat(ref).etag
            try:
                status = LearningStatus.decode(self._store.read(ref, etag=etag))
                if not allowed(status):
                    return status
                status = change(status)
                self._store.write(ref, status.encode(), if_match=etag)
            except Conflict:
                continue
            return status
