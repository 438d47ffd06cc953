"""A learning job in the hands of this process: its training, and its checkpoint in Blob."""

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from prometheus_client import Counter

from framebrush.contracts import LearningJob, PinnedBlob
from framebrush.errors import BlobNotFound, PermanentError
from framebrush.pictures import decode_square, predict, square_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush.storage import BlobReader, Store
from framebrush.styles import LearningJobs
from framebrush_scorer.device import choose_device
from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.learning.samples import frame_of, sample
from framebrush_scorer.settings import LearnerSettings
from framebrush_scorer.training import LikeTeacher, Recipe, Trainer

FRAMES = 24
"""The frames of each film that are learned on."""

_steps = Counter("framebrush_learning_steps_total", "Steps of learning jobs that this process took.")


class InvalidContent(PermanentError):
    """There is nothing to learn on: no frame can be decoded, or all of them are plain."""

    reason: ClassVar[str] = "invalid_content"


class Session:
    """A job, from its checkpoint on.

    Args:
        job: What to learn.
        store: Where everything is.
        settings: The settings of the learner.
        sandbox: Where the picture and the content are decoded.

    Raises:
        PermanentError: The picture or the content cannot be used, or there are no networks.
        NoDevice: There is no such device as the settings ask for.

    """

    def __init__(self, job: LearningJob, store: Store, settings: LearnerSettings, sandbox: Sandbox) -> None:
        self.job, self._store, self._settings, self._sandbox = job, store, settings, sandbox
        self._checkpoint = LearningJobs(store, settings.styles_container).ref(job.job, "checkpoint")
        self._folder = Path(tempfile.mkdtemp(prefix="framebrush-learning-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self.etag = self._fetch()
        self.trainer = self._trainer()

    def close(self) -> None:
        """Remove the files of this session, as its end does. The checkpoint in Blob stays."""
        self._remove()

    @property
    def out(self) -> Path:
        """The file of the weights; card and preview are beside it."""
        return self._folder / f"{self.job.request.name}.safetensors"

    def fresh(self) -> bool:
        """Return whether the checkpoint in Blob is the one of this session."""
        return self._stat() == self.etag

    def run(self, seconds: float, saved: Callable[[Trainer], None]) -> bool:
        """Learn for some time; return whether the job has come to its end.

        Args:
            seconds: The time.
            saved: A function that is called after each checkpoint, which is in Blob then.

        Raises:
            Conflict: Another process goes on with the job.
        """
        before = self.trainer.step

        def keep(trainer: Trainer) -> None:
            content = trainer.checkpoint.read_bytes()
            self.etag = self._store.write(self._checkpoint, content, if_match=self.etag, if_absent=self.etag is None)
            saved(trainer)

        try:
            return self.trainer.run(save_every=self._settings.learn_save_every, limit=seconds, saved=keep)
        finally:
            _steps.inc(self.trainer.step - before)

    def _stat(self) -> str | None:
        try:
            return self._store.stat(self._checkpoint).etag
        except BlobNotFound:
            return None

    def _fetch(self) -> str | None:
        """Fetch the checkpoint, if there is one; return its ETag."""
        with suppress(BlobNotFound):
            etag = self._store.stat(self._checkpoint).etag
            self.out.with_suffix(".checkpoint").write_bytes(self._store.read(self._checkpoint, etag=etag))
            return etag
        return None

    def _trainer(self) -> Trainer:
        request, settings = self.job.request, self._settings
        recipe = Recipe(steps=request.steps, stability=request.stability, seed=request.seed)
        vector, digest = self._look()
        teacher = LikeTeacher(vector, request.picture, {"like_sha256": digest}, settings.picture_networks)
        teacher.strokes = request.strokes
        learn, keep = list[RgbFrame](), list[RgbFrame]()
        for blob in self.job.content:
            *first, last = self._sample(blob, recipe.natural_edge)
            learn += first or [last]
            keep.append(last)
        origin = {"content": " ".join(str(blob.blob) for blob in self.job.content)}
        device = choose_device(settings.device)
        try:
            return Trainer(recipe, teacher, learn, keep, self.out, device, origin=origin, title=request.title)
        except ValueError as error:  # The checkpoint is of this job, so that only the content is left.
            raise InvalidContent(str(error)) from error

    def _open(self, blob: PinnedBlob) -> BlobReader:
        return BlobReader(self._store, blob.blob, blob.size, blob.etag)

    def _allowance(self) -> Allowance:
        return Allowance(self._settings.max_frame_time, "MAX_FRAME_TIME", "decoding a frame")

    def _look(self) -> tuple[tuple[float, ...], str]:
        """Return the style vector of the picture, and its SHA-256."""
        (item,) = self._sandbox.run(
            self._allowance(), self._open(self.job.picture), decode_square, self._settings.max_picture_pixels
        )
        _, square = square_of(item)
        (vector,) = predict([square], self._settings.picture_networks)
        content = self._store.read(self.job.picture.blob, etag=self.job.picture.etag)
        return vector, hashlib.sha256(content).hexdigest()

    def _sample(self, blob: PinnedBlob, edge: int) -> list[RgbFrame]:
        most = self._settings.max_picture_pixels
        items = self._sandbox.run(self._allowance(), self._open(blob), sample, FRAMES, edge, most)
        frames = [frame_of(item) for item in items]
        if not frames:
            raise InvalidContent(f"{blob.blob}: no frame of it could be decoded")
        return frames
