"""The splitter's two steps: plan a run, decode a segment."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import PurePosixPath

from framebrush.documents import BlobRef, FrameRange
from framebrush.errors import (
    BlobNotFound,
    Conflict,
    InvalidMessage,
    InvalidVideo,
    LimitExceeded,
    PermanentError,
    RunExists,
)
from framebrush.facts import COPIED, distinct, is_extra, read_properties
from framebrush.manifest import Manifest, Source, State, Status, Timeline
from framebrush.messages import Incoming, Message, PackReady, SegmentPlanned
from framebrush.packs import PackWriter
from framebrush.parallel import ordered_map
from framebrush.reader import BlobReader
from framebrush.requests import SUBMITTED, RunRequest, Trigger, derive_run_id, suffix_of
from framebrush.runs import Runs, unchanged, work_metadata
from framebrush.store import BlobInfo, Store
from framebrush.telemetry import bind_run, frames_in, frames_out
from framebrush_splitter.decode import Picture, decode_segment, first_frame
from framebrush_splitter.notes import notes
from framebrush_splitter.outputs import Input, carries, plan_output
from framebrush_splitter.packing import FrameEncoder, fill_packs
from framebrush_splitter.plan import FRAME_BYTES, batch_size, cut, pack_size, read_packets
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.video import open_video

log = logging.getLogger(__name__)


class Splitter:
    """Handles the queues ``triggers`` and ``splits``."""

    def __init__(self, store: Store, settings: SplitterSettings) -> None:
        self._store, self._settings = store, settings
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
        options = request.options.model_copy(update={"model": model})
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
        first = Status(run_id=run_id, state=State.PLANNING, created=now, updated=now, input=request.input, model=model)
        if not self._runs.create(first) and not self._runs.active(run_id):
            log.info("the run has ended already")
            return
        if source is None:
            raise missing or BlobNotFound(str(request.input))
        request = request.model_copy(update={"run_id": run_id, "options": options})
        manifest = self._write_once(self._plan(request, source))

        def planned(status: Status) -> Status:
            return status.model_copy(
                update={"state": State.RUNNING, "frames": manifest.frames, "output": manifest.output}
            )

        round_ = self._runs.update(run_id, planned).round
        log.info("planned", extra={"data": {"frames": manifest.frames, "segments": len(manifest.segments)}})
        for segment in range(len(manifest.segments)):
            yield SegmentPlanned(run_id=run_id, segment=segment, round=round_)

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
        settings, options = self._settings, request.options
        assert request.run_id is not None and options.model is not None  # noqa: S101, PT018 - resolved by _start
        if request.input.container == settings.work_container:
            raise PermanentError(f"{request.input}: the work container holds no inputs")
        reader = partial(self._reader, request.input, source.size, source.etag)
        with open_video(reader()) as (container, stream):
            frame = first_frame(container, stream)
            video = read_properties(stream, frame)
            if video.width * video.height > settings.max_pixels:
                raise LimitExceeded(
                    f"{video.width}x{video.height} is more than {settings.max_pixels} pixels (FRAMEBRUSH_MAX_PIXELS)"
                )
        with open_video(reader()) as (container, stream):  # anew: not every file can be wound back
            packets = read_packets(container, stream, max_frames=settings.max_frames)
            segments = cut(packets, settings.segment_frames)
            copied = [s for s in container.streams if s.type in COPIED]
            samples = packets.samples
            requested = suffix_of(request.output) if request.output else None
            output = plan_output(Input(video, copied, samples), options, requested, nvenc=settings.nvenc)
            copied += [s for s in container.streams if is_extra(s) and carries(output.suffix, s, samples)]
            seconds = float((packets.end - packets.pts[0]) * video.time_base[0] / video.time_base[1])
            copied_streams = tuple(sorted(s.index for s in copied))
            told = [output.note] if output.note else []
            told += notes(container, stream, frame, video, packets, segments, copied_streams)
        if seconds > settings.max_duration:
            raise LimitExceeded(
                f"{seconds:.0f} s are more than {settings.max_duration:.0f} s (FRAMEBRUSH_MAX_DURATION)"
            )
        batch = batch_size(video.width, video.height, options.batch_frames)
        return Manifest(
            run_id=request.run_id,
            created=datetime.now(UTC),
            source=Source(blob=request.input, etag=source.etag, size=source.size),
            model=options.model,
            options=output.options,
            output=_name(request, output.suffix, settings.output_container),
            video=video,
            copied_streams=copied_streams,
            duration=seconds,
            pack_frames=pack_size(batch, int(FRAME_BYTES[options.pack_codec] * video.width * video.height) + 1),
            batch_frames=batch,
            segments=segments,
            notes=tuple(told),
        )

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
        encoder = FrameEncoder(manifest.video, manifest.options)
        pts, durations, offsets = list[int](), list[int](), list[tuple[int, ...]]()
        held: PackReady | None = None

        def pictures() -> Iterator[Picture]:
            for picture in decode_segment(
                lambda: open_video(self._reader(source.blob, source.size, source.etag)), segment
            ):
                frames_in.inc()
                if picture.frame is None and manifest.options.bad_frames == "fail":
                    seconds = float(picture.time * Fraction(*manifest.video.time_base))
                    raise InvalidVideo(
                        f"the frame at {seconds:.3f} s is damaged; with bad_frames keep_original or hold_previous "
                        "the one before it is shown in its place"
                    )
                pts.append(picture.time)
                durations.append(picture.duration)
                yield picture

        started = datetime.now(UTC)
        images = ordered_map(encoder, pictures(), self._settings.decode_threads)
        for frames, pack in fill_packs(images, manifest.pack_frames, manifest.options.pack_codec):
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


def _name(request: RunRequest, suffix: str, container: str) -> BlobRef:
    """The output's blob: as requested but for what its container has to be, else after the input and the model."""
    wanted = request.output or BlobRef(
        container=container, name=f"{PurePosixPath(request.input.name).with_suffix('')}.{request.options.model}{suffix}"
    )
    name = wanted.name if suffix_of(wanted) == suffix else str(PurePosixPath(wanted.name).with_suffix(suffix))
    return BlobRef(container=wanted.container, name=name)


def _ready(message: SegmentPlanned, frames: FrameRange, offsets: tuple[int, ...]) -> PackReady:
    return PackReady(
        run_id=message.run_id, round=message.round, segment=message.segment, frames=frames, offsets=offsets
    )
