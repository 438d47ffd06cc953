"""The splitter's two steps: plan a run, decode a segment."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction

from framebrush.contracts import (
    SUBMITTED,
    BlobRef,
    FrameRange,
    Incoming,
    Manifest,
    Message,
    PackReady,
    RunRequest,
    SegmentPlanned,
    State,
    Status,
    Timeline,
    Trigger,
    derive_run_id,
)
from framebrush.errors import BlobNotFound, Conflict, InvalidMessage, InvalidVideo, PermanentError, RunExists
from framebrush.media import PackWriter, distinct
from framebrush.messaging import bind_run
from framebrush.runs import Runs, unchanged, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.service import frames_in, frames_out
from framebrush.storage import BlobInfo, BlobReader, Store
from framebrush_splitter.packing import fill_packs
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import plan_run, read_shot, shoot

log = logging.getLogger(__name__)


class Splitter:
    """Handles the queues ``triggers`` and ``splits``."""

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do one step."""
        match message:
            case Trigger(requests=(request,), problems=()):
                yield from self._start(request)
            case Trigger(requests=requests, problems=problems):
                yield from requests  # one message each: a bad one among them fails alone
                if problems:
                    raise InvalidMessage("; ".join(problems)[:2048])
            case SegmentPlanned():
                yield from self._split(message)
            case _:
                raise TypeError(f"not for the splitter: {type(message).__name__}")

    def _start(self, request: RunRequest) -> Iterator[Message]:
        """Plan a run once; a run that exists is continued, one that has ended stays as it is."""
        model = request.options.model or self._settings.default_model
        more = tuple(each for each in request.options.more_models if each != model)
        options = request.options.model_copy(update={"model": model, "more_models": more})
        try:
            source, missing = self._store.stat(request.input), None
        except BlobNotFound as error:
            source, missing = None, error
        if request.announced and source is not None and SUBMITTED in source.metadata:
            log.info("%s comes with a request of its own", request.input)
            return
        etag = source.etag if source else ""
        run_id = request.run_id or derive_run_id(request.input, etag, options, request.output)
        bind_run(run_id)
        now = datetime.now(UTC)
        first = Status(
            run_id=run_id, state=State.PLANNING, created=now, updated=now,
            input=request.input, model=model, more_models=more,
        )  # fmt: skip
        if not self._runs.create(first) and not self._runs.active(run_id):
            log.info("the run has ended already")
            return
        if source is None:
            raise missing or BlobNotFound(str(request.input))
        request = request.model_copy(update={"run_id": run_id, "options": options})
        manifest = self._write_once(self._plan(request, source))

        def planned(status: Status) -> Status:
            return status.model_copy(
                update={
                    "state": State.RUNNING,
                    "frames": manifest.frames,
                    "output": manifest.output,
                    "more_outputs": manifest.more_outputs,
                }
            )

        generation = self._runs.update(run_id, planned).generation
        log.info("planned", extra={"data": {"frames": manifest.frames, "segments": len(manifest.segments)}})
        for segment in range(len(manifest.segments)):
            yield SegmentPlanned(run_id=run_id, segment=segment, generation=generation)

    def _write_once(self, manifest: Manifest) -> Manifest:
        """Write the manifest, or accept the one that is there if it says the same."""
        ref = self._runs.blobs(manifest.run_id).manifest
        try:
            self._store.write(ref, manifest.encode(), if_absent=True)
        except Conflict:
            existing = self._runs.manifest(manifest.run_id)
            if not unchanged(existing, manifest):
                raise RunExists(
                    f"run {manifest.run_id} exists with another input or other options; choose another run id"
                ) from None
            return existing
        return manifest

    def _plan(self, request: RunRequest, source: BlobInfo) -> Manifest:
        settings = self._settings
        if request.input.container == settings.work_container:
            raise PermanentError(f"{request.input}: the work container holds no inputs")
        allowance = Allowance(settings.max_plan_time, "MAX_PLAN_TIME", "reading its packets")
        reader = self._reader(request.input, source.size, source.etag)
        (manifest,) = self._sandbox.run(
            allowance, reader, plan_run, request, source, settings.limits,
            segment_frames=settings.segment_frames, output_container=settings.output_container, nvenc=settings.nvenc,
        )  # fmt: skip
        return Manifest.decode(bytes(manifest))

    def _split(self, message: SegmentPlanned) -> Iterator[Message]:
        """Decode a segment into packs. Each is announced once it is stored, the last once the timeline is too."""
        if not self._runs.active(message.run_id):
            return
        try:
            timeline = self._runs.timeline(message.run_id, message.segment)
        except BlobNotFound:
            yield from self._decode(message)
        else:  # decoded before, perhaps not announced to the end
            first = 0
            for offsets in timeline.offsets:
                frames = FrameRange(first=first, count=len(offsets) - 1)
                yield _ready(message, frames, offsets)
                first = frames.stop

    def _decode(self, message: SegmentPlanned) -> Iterator[Message]:
        manifest = self._runs.manifest(message.run_id)
        segment, source = manifest.segments[message.segment], manifest.source
        pts, durations, offsets = list[int](), list[int](), list[tuple[int, ...]]()
        held: PackReady | None = None

        def images() -> Iterator[bytes]:
            settings = self._settings
            allowance = Allowance(settings.max_frame_time, "MAX_FRAME_TIME", "decoding a frame")
            reader = self._reader(source.blob, source.size, source.etag)
            for shot in self._sandbox.run(
                allowance, reader, shoot, manifest.video, manifest.options, segment, settings.decode_threads
            ):
                frames_in.inc()
                time, duration, image = read_shot(shot)
                if not image and manifest.options.bad_frames == "fail":
                    seconds = float(time * Fraction(*manifest.video.time_base))
                    raise InvalidVideo(
                        f"the frame at {seconds:.3f} s is damaged; with bad_frames keep_original or hold_previous "
                        "the one before it is shown in its place"
                    )
                pts.append(time)
                durations.append(duration)
                yield image

        started = datetime.now(UTC)
        for frames, pack in fill_packs(images(), manifest.pack_frames, manifest.options.pack_codec):
            if held is not None:
                yield held
            held = self._store_pack(message, frames, pack, started)
            offsets.append(held.offsets)
            started = datetime.now(UTC)
        timeline = Timeline(pts=tuple(distinct(pts)), durations=tuple(durations), offsets=tuple(offsets))
        self._store.write(self._runs.blobs(message.run_id).timeline(message.segment), timeline.encode())
        if held is not None:
            yield held

    def _store_pack(
        self, message: SegmentPlanned, frames: FrameRange, pack: PackWriter, started: datetime
    ) -> PackReady:
        ref = self._runs.blobs(message.run_id).pack(message.segment, frames)
        self._store.write(ref, pack.finish(), metadata=work_metadata(started))
        frames_out.inc(frames.count)
        return _ready(message, frames, tuple(pack.offsets))

    def _reader(self, ref: BlobRef, size: int, etag: str) -> BlobReader:
        if size == 0:
            raise InvalidVideo(f"{ref} is empty (0 bytes)")
        return BlobReader(self._store, ref, size, etag)


def _ready(message: SegmentPlanned, frames: FrameRange, offsets: tuple[int, ...]) -> PackReady:
    return PackReady(
        run_id=message.run_id, generation=message.generation, segment=message.segment, frames=frames, offsets=offsets
    )
