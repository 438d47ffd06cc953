"""Handles a batch: reads its frames, scores them, and writes a styled pack."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from datetime import UTC, datetime
from functools import lru_cache
from tarfile import TarError
from typing import Any, TypeVar

import cv2
import numpy as np

from framebrush.contracts import (
    PICTURE,
    BatchReady,
    BatchScored,
    FrameFailure,
    Incoming,
    Manifest,
    Message,
    PinnedStyle,
    Rendition,
)
from framebrush.errors import PermanentError
from framebrush.media import BgrImage, InvalidImage, PackWriter, decode_image, encode_image, read_pack
from framebrush.messaging import defer_interrupts, note_progress, note_waiting
from framebrush.runs import Runs, Work, work_metadata
from framebrush.service import cores, frames_in, frames_out
from framebrush.steps import describe, timed
from framebrush.storage import Store, write_once
from framebrush.styles import Library
from framebrush_scorer.device import check_device, choose_device
from framebrush_scorer.frames import BadFrame, RgbFrame, RgbFrames
from framebrush_scorer.models import FrameModel, WeightsCache, host_frames, load, load_picture, load_weights
from framebrush_scorer.pipeline.controls import Controlled, Controls
from framebrush_scorer.pipeline.mark import Mark
from framebrush_scorer.pipeline.scoring import PART_PIXELS, FrameFailed, score
from framebrush_scorer.pipeline.smoothing import smooth
from framebrush_scorer.settings import ScorerSettings

R = TypeVar("R")
log = logging.getLogger(__name__)


LOOK = 10.0
"""The seconds after which a batch looks again whether its run goes on."""
STEP_PIXELS = 2_000_000
"""The pixels of the frames that a model on a CPU is given at a time. Between two steps the batch says how far it is."""


class Scorer:
    """Handles the queue ``batches``. Several threads call it at a time.

    Images are decoded and encoded by threads that all batches share. The model has a thread of its own, since
    OpenMP keeps a team of threads for every thread that computes. While it works on a batch, the callers download
    and decode the next, or encode and upload the last.
    """

    def __init__(self, store: Store, settings: ScorerSettings) -> None:
        self._store = store
        self._codecs = ThreadPoolExecutor(settings.codec_threads or cores(), thread_name_prefix="codec")
        self._runs = Runs(store, settings.work_container)
        self._work = Work(self._runs, keep_frames=settings.keep_frames)
        self._model_thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        # A network on a CPU waits in every layer for its slowest thread: a core that decodes JPEG meanwhile costs it
        # twice. There, batches take turns with the cores, and only reading and writing blobs goes on beside the model.
        device = choose_device(settings.device)
        self._device, on_cpu = str(device), device.type == "cpu"
        self._cores: AbstractContextManager[object] = threading.Lock() if on_cpu else nullcontext()
        self._step_pixels = STEP_PIXELS if on_cpu else PART_PIXELS

        memory = settings.model_memory and settings.model_memory * 10**6

        weights = WeightsCache(Library(store, settings.styles_container))

        @lru_cache(maxsize=8)  # as many as a run can have
        def load_model(name: str, source: tuple[float, ...] | PinnedStyle | None) -> FrameModel:
            try:
                if isinstance(source, PinnedStyle):
                    path = weights.file(source.digest)
                    return load_weights(name, path, source, settings.device, memory)
                if source is not None:
                    return load_picture(source, settings.picture_networks, settings.device, memory)
                return load(name, settings.styles, settings.device, memory)
            except Exception as error:
                check_device(error)
                raise

        self._load_model = load_model

    def warm_up(self, name: str) -> None:
        """Load a model before the first batch asks for it.

        Raises:
            UnknownModel: There is no model of this name.
            InvalidWeights: The file of the style is damaged.
        """
        self._model_thread.submit(self._load_model, name, None).result()

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Score a batch, unless that is done."""
        if not isinstance(message, BatchReady):
            raise TypeError(f"not for the scorer: {type(message).__name__}")
        yield from self._work.step(message.run_id, lambda: self._made(message), self._step(message))

    def _made(self, batch: BatchReady) -> list[str]:
        """The names of the styled packs of a batch, and of its mark."""
        blobs, renditions = self._runs.blobs(batch.run_id), self._runs.manifest(batch.run_id).renditions
        refs = [blobs.styled(batch.segment, batch.frames, rendition.number) for rendition in renditions]
        return [ref.name for ref in (*refs, blobs.mark(batch.segment, batch.frames))]

    def _step(self, message: BatchReady) -> Iterator[BatchScored]:
        manifest, blobs = self._runs.manifest(message.run_id), self._runs.blobs(message.run_id)
        refs = {each: blobs.styled(message.segment, message.frames, each.number) for each in manifest.renditions}
        missing = [rendition for rendition, ref in refs.items() if not self._runs.exists(ref)]
        started = datetime.now(UTC)
        for rendition, pack in self._score(message, manifest, missing):
            write_once(self._store, refs[rendition], pack, metadata=work_metadata(started))
            started = datetime.now(UTC)
        yield BatchScored(
            run_id=message.run_id, generation=message.generation, segment=message.segment, frames=message.frames
        )

    def _score(
        self, batch: BatchReady, manifest: Manifest, renditions: Sequence[Rendition]
    ) -> Iterator[tuple[Rendition, bytes]]:
        """Yield the bytes of a styled pack for each rendition.

        The frames are read once, and go through the model in parts: arrays of a few frames are in memory at a time. If
        neighbours are averaged, all frames are one part.

        Raises:
            FrameFailed: A frame is bad, and the run's policy is to fail.
            PermanentError: The run has ended meanwhile.
        """
        if not renditions:
            return
        blobs = self._runs.blobs(batch.run_id)
        ref = blobs.pack(batch.segment, batch.pack)
        originals = self._read(self._store.read(ref, batch.start, batch.length))
        mark = Mark(self._store, blobs.mark(batch.segment, batch.frames), len(renditions))
        indices = range(batch.frames.first, batch.frames.stop)
        frames_in.inc(len(indices))
        size = manifest.video.width * manifest.video.height
        part = len(indices) if manifest.options.smoothing else max(1, PART_PIXELS // size)

        height, width = manifest.video.height, manifest.video.width

        def decode(index: int, frame: RgbFrame) -> RgbFrame | BadFrame:
            try:
                with timed("decode"):
                    bgr = decode_image(originals.get(index, b""), height, width)
            except InvalidImage as error:
                return BadFrame(str(error))
            cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=frame)
            return frame

        def encode(result: RgbFrame | BadFrame) -> bytes | BadFrame:
            if isinstance(result, BadFrame):
                return result
            bgr: BgrImage = cv2.cvtColor(result, cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
            with timed("encode"):
                return encode_image(bgr, manifest.options.pack_codec, manifest.options.jpeg_quality)

        looked = time.monotonic()

        def go_on(painted: int) -> None:
            nonlocal looked
            note_progress()
            looked = self._look(batch.run_id, looked)
            mark.add(painted)

        for rendition in renditions:
            describe(device=self._device, model=", ".join(each.model for each in renditions))
            pack = PackWriter(manifest.options.pack_codec)
            note_waiting()  # Batches that take turns would use up each other's time.
            with self._cores:  # For all of the batch: a run shows progress sooner than if all end at the same time.
                for some in (indices[first : first + part] for first in range(0, len(indices), part)):
                    go_on(0)
                    frames = host_frames(len(some), height, width)
                    decoded = self._each(decode, some, frames)
                    results = self._apply(rendition.model, manifest, frames, decoded, go_on)
                    encoded = self._each(encode, results)
                    for index, result in zip(some, encoded, strict=True):
                        self._add(pack, index, result, originals, manifest, batch)
            yield rendition, pack.finish()
        mark.remove()
        frames_out.inc(len(indices))

    def _look(self, run_id: str, looked: float) -> float:
        """Look whether a run goes on, if that is some seconds ago; return when it was looked at.

        Raises:
            PermanentError: It has ended, so that nobody needs the rest of the batch.
        """
        now = time.monotonic()
        if now - looked < LOOK:
            return looked
        if not self._runs.active(run_id):
            raise PermanentError(f"the run {run_id} has ended")
        return now

    def _each(self, function: Callable[..., R], *items: Iterable[Any]) -> list[R]:
        """Return the results of a function in the order of its arguments. The codecs' threads compute them."""
        pending = self._submit(function, *items)
        try:
            return [each.result() for each in pending]
        finally:
            for each in pending:
                each.cancel()  # This changes nothing unless the wait was interrupted.

    @defer_interrupts
    def _submit(self, function: Callable[..., R], *items: Iterable[Any]) -> list[Future[R]]:
        """Hand items over. An interrupt in the middle could leave a lock of the pool behind, which all batches need."""
        context = copy_context  # keeps the run in log lines
        return [self._codecs.submit(context().run, function, *each) for each in zip(*items, strict=True)]

    def _read(self, data: bytes) -> dict[int, bytes]:
        try:
            return read_pack(data)[0]
        except (TarError, ValueError) as error:
            log.warning("unreadable pack: %s", error)
            return {}  # every frame of it is then a bad frame

    def _apply(
        self,
        model: str,
        manifest: Manifest,
        frames: RgbFrames,
        decoded: list[RgbFrame | BadFrame],
        go_on: Callable[[int], None],
    ) -> list[RgbFrame | BadFrame]:
        """Return what the model makes of the frames, one for each that was decoded; bad ones stay in their places.

        ``go_on`` is called now and then, with the number of frames that have been painted since.
        """
        good = [not isinstance(item, BadFrame) for item in decoded]
        if not any(good):
            return decoded
        if not all(good):
            frames = frames[np.array(good)]
        options = manifest.options
        controls = Controls(options.strength, options.keep_colors, options.scale, options.strokes)

        source: tuple[float, ...] | PinnedStyle | None = manifest.styles.get(model)
        if model == PICTURE and manifest.style is not None:
            source = manifest.style.vector

        def paint(some: RgbFrames) -> list[RgbFrame | BadFrame]:
            return score(Controlled(self._load_model(model, source), controls), some)

        results = list[RgbFrame | BadFrame]()
        step = max(1, self._step_pixels // (frames.shape[1] * frames.shape[2]))
        with timed("model"):  # the time of waiting for its turn included
            for first in range(0, len(frames), step):
                some = frames[first : first + step]
                results += self._model_thread.submit(copy_context().run, paint, some).result()
                go_on(len(some))
        good_results = iter(results)
        painted = [item if isinstance(item, BadFrame) else next(good_results) for item in decoded]
        if options.smoothing and options.strength:
            painted = smooth(decoded, painted, options.smoothing)
        return painted

    def _add(
        self,
        pack: PackWriter,
        index: int,
        result: bytes | BadFrame,
        originals: dict[int, bytes],
        manifest: Manifest,
        batch: BatchReady,
    ) -> None:
        if isinstance(result, bytes):
            pack.add_frame(index, result)
            return
        policy = manifest.options.bad_frames
        if policy == "fail":
            raise FrameFailed(f"frame {index} of segment {batch.segment}: {result.reason}")
        log.warning("frame %d of segment %d: %s", index, batch.segment, result.reason)
        if policy == "keep_original" and index in originals:
            pack.add_frame(index, originals[index])
        pack.add_failure(FrameFailure(frame=index, error=result.reason))
