"""What is done to a caller's file, in the sandbox: plan a run, shoot a segment's frames."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import PurePosixPath

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.contracts import BlobRef, Manifest, Options, RunRequest, Segment, VideoProperties, suffix_of
from framebrush.contracts import Source as SourceBlob
from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.media import COPIED, is_extra, read_properties
from framebrush.sandbox import Source
from framebrush.service import ordered_map
from framebrush.storage import BlobInfo
from framebrush_splitter.decode import Picture, decode_segment, first_frame
from framebrush_splitter.notes import notes
from framebrush_splitter.outputs import Input, UnsupportedStream, carries, plan_output
from framebrush_splitter.packing import FrameEncoder
from framebrush_splitter.plan import FRAME_BYTES, batch_size, cut, pack_size, read_packets
from framebrush_splitter.settings import Limits
from framebrush_splitter.video import open_video

SHOT = struct.Struct("<qq")
"""Before a frame's image: its time and duration in ticks."""


def plan_run(
    source: Source,
    request: RunRequest,
    blob: BlobInfo,
    limits: Limits,
    *,
    segment_frames: int,
    output_container: str,
    nvenc: bool,
) -> Iterator[bytes]:
    """Yield the run's manifest.

    Args:
        source: The video.
        request: With the run's id and model resolved.
        blob: What the video is.
        limits: What is accepted.
        segment_frames: Least frames of a segment.
        output_container: For outputs that the request does not name.
        nvenc: Whether the installation has encoders on NVIDIA's GPUs.

    Raises:
        InvalidVideo: it is none, or not whole.
        LimitExceeded: it is too large or too long.
        UnsupportedStream: the output cannot be as requested for this input.
    """
    options = request.options
    assert request.run_id is not None and options.model is not None  # noqa: S101, PT018 - resolved
    with open_video(source) as (container, stream):
        _check_streams(container, limits)
        _check_size(stream.width, stream.height, limits)
        frame = first_frame(container, stream)
        video = read_properties(stream, frame)
        _check_size(video.width, video.height, limits)  # which the container need not tell
    with open_video(source) as (container, stream):  # anew: not every file can be wound back
        packets = read_packets(container, stream, max_frames=limits.max_frames)
        segments = cut(packets, segment_frames)
        copied = [s for s in container.streams if s.type in COPIED]
        unknown = [s for s in copied if s.codec_context is None]
        if unknown:
            raise UnsupportedStream(f"{unknown[0].type} stream {unknown[0].index} has a codec that nobody knows")
        samples = packets.samples
        requested = suffix_of(request.output) if request.output else None
        output = plan_output(Input(video, copied, samples), options, requested, nvenc=nvenc)
        copied += [s for s in container.streams if is_extra(s) and carries(output.suffix, s, samples)]
        seconds = float((packets.end - packets.pts[0]) * video.time_base[0] / video.time_base[1])
        copied_streams = tuple(sorted(s.index for s in copied))
        told = [output.note] if output.note else []
        told += notes(container, stream, frame, video, packets, segments, copied_streams)
    if seconds > limits.max_duration:
        raise LimitExceeded.of(f"{seconds:.0f} s are longer", f"{limits.max_duration:g} s", "MAX_DURATION")
    batch = batch_size(video.width, video.height, options.batch_frames)
    outputs = _names(request, (options.model, *options.more_models), output.suffix, output_container)
    yield Manifest(
        run_id=request.run_id,
        created=datetime.now(UTC),
        source=SourceBlob(blob=request.input, etag=blob.etag, size=blob.size),
        model=options.model,
        options=output.options,
        output=outputs[0],
        more_outputs=tuple(outputs[1:]),
        video=video,
        copied_streams=copied_streams,
        duration=seconds,
        pack_frames=pack_size(batch, int(FRAME_BYTES[options.pack_codec] * video.width * video.height) + 1),
        batch_frames=batch,
        segments=segments,
        notes=tuple(told),
    ).encode()


def shoot(source: Source, video: VideoProperties, options: Options, segment: Segment, threads: int) -> Iterator[bytes]:
    """Yield a segment's frames as JPEG or PNG, in order, for :func:`read_shot`.

    Args:
        source: The video.
        video: As it was planned.
        options: As the run was asked for.
        segment: Which frames.
        threads: That turn frames into images; one more decodes.

    Raises:
        InvalidVideo: it does not hold what was planned.
    """
    encoder = FrameEncoder(video, options)

    def opened() -> AbstractContextManager[tuple[InputContainer, VideoStream]]:
        return open_video(source, threads + 1)

    def shot(picture: Picture) -> bytes:
        try:
            image = encoder(picture)
        except av.MemoryError:
            raise
        except av.FFmpegError as error:
            raise InvalidVideo(f"{source.name}: a frame cannot be converted to RGB: {error.strerror}") from error
        return SHOT.pack(picture.time, picture.duration) + image

    return ordered_map(shot, decode_segment(opened, segment, source.alive), threads)


def read_shot(shot: memoryview) -> tuple[int, int, bytes]:
    """Time and duration of a frame in ticks, and its image; that is empty if the frame is damaged."""
    return *SHOT.unpack_from(shot), bytes(shot[SHOT.size :])


def _names(request: RunRequest, models: Sequence[str], suffix: str, container: str) -> list[BlobRef]:
    """The outputs' blobs, one for each model.

    As requested but for what the container has to be, and with the model's name where there are several; else after the
    input and the model.
    """
    wanted = request.output or BlobRef(container=container, name=request.input.name)
    stem = str(PurePosixPath(wanted.name).with_suffix(""))
    if request.output and len(models) == 1:
        name = wanted.name if suffix_of(wanted) == suffix else stem + suffix
        return [BlobRef(container=wanted.container, name=name)]
    return [BlobRef(container=wanted.container, name=f"{stem}.{model}{suffix}") for model in models]


def _check_streams(container: InputContainer, limits: Limits) -> None:
    count = len(container.streams)
    if count > limits.max_streams:
        raise LimitExceeded.of(f"{count} streams are more", str(limits.max_streams), "MAX_STREAMS")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise LimitExceeded.of(f"{width}x{height} pixels are more", str(limits.max_pixels), "MAX_PIXELS")
