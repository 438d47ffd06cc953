"""The tasks that run in the sandbox, on a caller's file: plan a run, and decode the frames of a segment."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import PurePosixPath

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import (
    FORMATS,
    BlobRef,
    Manifest,
    Options,
    RunRequest,
    Segment,
    Shift,
    Source,
    VideoProperties,
    suffix_of,
)
from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.media import (
    CAPTIONED,
    CAPTIONS_LOST,
    CARRYING,
    COPIED,
    MOST_CAPTIONS,
    RAW,
    SWITCHED,
    WITHOUT_ZERO,
    codec_name,
    is_extra,
    lost_tags,
    quoted,
    read_display,
    read_properties,
)
from framebrush.sandbox import SandboxedFile
from framebrush.service import ordered_map
from framebrush.storage import BlobInfo
from framebrush_splitter.decode import decode_segment, first_frame, first_time
from framebrush_splitter.dry_run import Film
from framebrush_splitter.editions import refuse_ordered
from framebrush_splitter.edits import edit_notes, edited_tracks
from framebrush_splitter.encryption import refuse_encrypted
from framebrush_splitter.notes import label_notes, notes
from framebrush_splitter.outputs import Input, carries, converted_notes, order_notes, plan_output
from framebrush_splitter.packing import FrameEncoder
from framebrush_splitter.plan import (
    FRAME_BYTES,
    Packets,
    batch_size,
    chunk_size,
    cut,
    frame_rate,
    pack_size,
    read_packets,
)
from framebrush_splitter.presentation import DecodedFrame
from framebrush_splitter.references import referred_files
from framebrush_splitter.settings import Limits
from framebrush_splitter.sparse import SparseFile, unneeded
from framebrush_splitter.video import open_video

LONGEST_TAIL, MOST_REORDERED = 1000, 16
"""The most frames from the last random access point on that a plan decodes, and that are shown after a later one."""
OWN_COLORS = 5
"""The profile of Dolby Vision whose base layer is not for other displays."""
STEREO_MODES = {1: "left_right", 2: "bottom_top", 3: "top_bottom", 11: "right_left"}
"""FFmpeg's names of the ways in which two views share a picture, by Matroska's numbers."""
FRAME_HEADER = struct.Struct("<qqH?")
"""The layout of what precedes a frame: its time and its duration in ticks, how many bytes of captions it has,
and whether the container tells another time for it."""


def plan_run(
    source: SandboxedFile,
    request: RunRequest,
    blob: BlobInfo,
    limits: Limits,
    *,
    segment_frames: int,
    chunk_frames: int,
    output_container: str,
    nvenc: bool,
) -> Iterator[bytes]:
    """Yield the manifest of a run, as JSON; its outputs have the names that they would have if the run were alone.

    Args:
        source: The video.
        request: The request; its run id and its model are not None.
        blob: The properties of the blob that holds the video.
        limits: The limits of this installation.
        segment_frames: The number of frames that a segment has at least.
        chunk_frames: The number of frames that are encoded together, more or less.
        output_container: The container of outputs that the request does not name.
        nvenc: Whether the installation has encoders on GPUs of NVIDIA.

    Raises:
        InvalidVideo: The file is not a video, or it is cut short or damaged.
        LimitExceeded: The video is larger or longer than the limits.
        UnsupportedStream: The output cannot be as requested for this video.
    """
    options = request.options
    assert request.run_id is not None and options.model is not None  # noqa: S101, PT018 - resolved
    try:
        with open_video(source) as (container, stream):
            frame, video = examine(source, container, stream, limits)
    except InvalidVideo:
        if others := referred_files(source):
            first = quoted(others[0])
            raise InvalidVideo(
                f"the pictures of this film are not in it, but in {', '.join(others)}"
                f": to style them: framebrush submit {first}"
            ) from None
        raise
    size, sparse = (video.width, video.height), SparseFile(source)
    with open_video(sparse) as (container, stream):  # opened again, as not every format can be read twice
        edited = list(edited_tracks(source)) if container.format.name == SWITCHED else []
        left_out = unneeded(container, stream)
        sparse.leave_out(left_out)
        packets = _beginning(source, read_packets(container, stream, max_frames=limits.max_frames, size=size))
        if container.format.name in WITHOUT_ZERO and options.bad_frames == "fail":
            packets = _ending(source, packets)
        segments = cut(packets, segment_frames)
        stated = None if container.format.name in RAW else stream.average_rate
        rate = frame_rate(packets, Fraction(*video.time_base), stated)
        video = video.model_copy(update={"frame_rate": (rate.numerator, rate.denominator)})
        copied = [s for s in container.streams if s.type in COPIED]
        film = Film(container, stream, packets.pts, packets.end, packets.edges)
        requested = suffix_of(request.output) if request.output else None
        output = plan_output(Input(video, copied, (), film), options, requested, nvenc=nvenc)
        extras = [s for s in container.streams if is_extra(s) and carries(output.suffix, s, packets.edges)]
        seconds = float((packets.end - packets.pts[0]) * video.time_base[0] / video.time_base[1])
        copied_streams = tuple(sorted(s.index for s in (*output.copied, *extras)))
        converted = tuple(s.index for s in output.converted)
        told = [output.note] if output.note else []
        told += [*converted_notes(output), *order_notes(output, packets.edges)]
        lost = lost_tags(container.metadata, FORMATS[output.suffix])
        told += [f"tags that {output.suffix} has no place for are left out: {', '.join(lost)[:200]}"] if lost else []
        told += label_notes(container, (stream.index, *copied_streams, *converted), output.suffix)
        carrying = output.options.codec in CARRYING and packets.timed
        told += [CAPTIONS_LOST] if packets.captions and not carrying else []
        unseen = bool(left_out) and not packets.captions and video.codec in CAPTIONED and packets.timed
        captions = (packets.captions and carrying) or unseen
        coded = any(s.type == "audio" and not codec_name(s).startswith("pcm_") for s in output.copied)
        told += edit_notes(edited, quoted(source.name), coded_sound=coded)
        told += notes(container, stream, frame, video, packets, segments, (*copied_streams, *converted))
    if seconds > limits.max_duration:
        raise LimitExceeded.of(f"{seconds:.0f} s are longer", f"{limits.max_duration:g} s", "MAX_DURATION")
    batch = batch_size(
        video.width,
        video.height,
        options.batch_frames,
        models=1 + len(options.more_models),
        heavy=options.pack_codec == "png" or options.smoothing > 0,
    )
    pack = pack_size(batch, int(FRAME_BYTES[options.pack_codec] * video.width * video.height) + 1)
    outputs = output_names(request, (options.model, *options.more_models), output.suffix, output_container)
    manifest = Manifest(
        run_id=request.run_id,
        created=datetime.now(UTC),
        source=Source(blob=request.input, etag=blob.etag, size=blob.size),
        model=options.model,
        options=output.options,
        output=outputs[0],
        more_outputs=tuple(outputs[1:]),
        video=video,
        copied_streams=copied_streams,
        converted_streams=converted,
        duration=seconds,
        pack_frames=pack,
        batch_frames=batch,
        segments=segments,
        shifts=packets.shifts,
        captions=captions,
        notes=tuple(told),
    )
    chunked = manifest.model_copy(update={"chunk_frames": chunk_size(chunk_frames, pack)})
    several = any(chunked.chunk_count(segment) > 1 for segment in range(len(segments)))
    strokes = output.options.strokes is not None
    needs = ((2, packets.shifts), (3, several), (4, converted), (5, captions), (6, strokes))
    version = max((number for number, needed in needs if needed), default=1)
    yield (chunked if several else manifest).model_copy(update={"version": version}).encode()


def examine(
    source: SandboxedFile, container: InputContainer, stream: VideoStream, limits: Limits
) -> tuple[VideoFrame, VideoProperties]:
    """Return the first frame of a video that was just opened, and its properties.

    Raises:
        InvalidVideo: The file is not a video, is encrypted, has colours that nobody can convert, views that FFmpeg does
            not write, or an edition that it does not follow.
        LimitExceeded: The video has more streams or larger frames than the limits allow.
    """
    _check_streams(container, limits)
    _check_size(stream.width, stream.height, limits)
    refuse_encrypted(container)
    refuse_ordered(source, container)
    _check_colors(stream, quoted(source.name))
    _check_views(stream, quoted(source.name))
    frame = first_frame(container, stream)
    video = read_properties(stream, frame)
    _check_size(video.width, video.height, limits)  # the container may state another size than the frames have
    return frame, video


def _beginning(source: SandboxedFile, packets: Packets) -> Packets:
    """Return the packets from where a player begins to show the video."""
    if not packets.begins_inside:
        return packets
    with open_video(source) as (container, stream):
        point = packets.random_access[0] if packets.random_access else None
        return packets.beginning_at(first_time(container, stream, packets.pts, point, packets.shifts))


def _ending(source: SandboxedFile, packets: Packets) -> Packets:
    """Return the packets without the frame in whose middle a capture breaks off, and without those shown after it.

    Nothing refers to the frame that is stored last: if more than one is damaged, it is not for that.
    """
    tail = packets.tail(MOST_REORDERED) if packets.timed and packets.random_access else None
    if tail is None or tail.frames > LONGEST_TAIL:
        return packets
    times, damaged = list[int](), list[int]()
    with suppress(InvalidVideo):
        for each in decode_segment(lambda: open_video(source), tail, packets.shifts, source.alive):
            times.append(each.time)
            damaged += [each.time] if each.frame is None else []
    if len(damaged) == 1 and damaged[0] in times[1:][-MOST_REORDERED:]:
        return packets.ending_at(damaged[0])
    return packets


def decode_frames(
    source: SandboxedFile,
    video: VideoProperties,
    options: Options,
    segment: Segment,
    shifts: Sequence[Shift],
    threads: int,
    stored: int = 0,
    *,
    captions: bool = False,
) -> Iterator[bytes]:
    """Yield the frames of a segment in order of presentation, each in the form that :func:`read_frame` reads.

    To go on where an earlier decoder stopped, all frames before are decoded once more: a decoder cannot be stored.
    They are not made into images, which takes most of the time.

    Args:
        source: The video.
        video: The properties of the video, from the manifest.
        options: The options of the run.
        segment: The segment.
        shifts: By how much the times of the file's packets are moved.
        threads: The number of threads that turn frames into images. One more thread decodes.
        stored: The number of frames at the beginning of which nothing but their times is wanted.
        captions: Whether the closed captions of the frames are wanted, too.

    Raises:
        InvalidVideo: The video does not hold what was planned.
    """
    encoder = FrameEncoder(video, options, source.name)

    def opened() -> AbstractContextManager[tuple[InputContainer, VideoStream]]:
        return open_video(source, threads + 1)

    def packed(numbered: tuple[int, DecodedFrame]) -> bytes:
        number, frame = numbered
        try:
            image = encoder(frame) if number >= stored else b""
        except av.MemoryError:
            raise
        except av.FFmpegError as error:
            raise InvalidVideo(f"{source.name}: a frame cannot be converted to RGB: {error.strerror}") from error
        text = frame.captions[:MOST_CAPTIONS]
        return b"".join((FRAME_HEADER.pack(frame.time, frame.duration, len(text), frame.moved), text, image))

    frames = decode_segment(opened, segment, shifts, source.alive, captions=captions)
    return ordered_map(packed, enumerate(frames), threads)


def read_frame(packed: memoryview) -> tuple[int, int, bytes, bytes, bool]:
    """Return what :func:`decode_frames` tells of a frame.

    Returns:
        Its time and its duration in ticks, its captions, its image, which is empty if it is damaged, and whether the
        container tells another time for it.
    """
    time, duration, length, moved = FRAME_HEADER.unpack_from(packed)
    image = FRAME_HEADER.size + length
    return time, duration, bytes(packed[FRAME_HEADER.size : image])[:MOST_CAPTIONS], bytes(packed[image:]), moved


def output_names(request: RunRequest, models: Sequence[str], suffix: str, container: str) -> list[BlobRef]:
    """Return the names of the outputs, one for each model.

    A requested name stays as it is, except for its extension if the output has to be in another container, and for the
    name of the model, which is added if there are several. Without a requested name, the output is called like the
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


def _check_colors(stream: VideoStream, name: str) -> None:
    if read_display(stream).dolby_vision == OWN_COLORS:
        raise InvalidVideo(
            "Dolby Vision of profile 5 has colours of its own (IPTPQc2), which would be shown green and purple: "
            f"convert it first: ffmpeg -i {name} -vf libplacebo=colorspace=bt709:color_primaries=bt709:color_trc=bt709 "
            "-c:a copy bt709.mp4"
        )


def _check_views(stream: VideoStream, name: str) -> None:
    mode, aspect = read_display(stream).stereo, stream.sample_aspect_ratio
    if mode and aspect not in (None, 1):
        told = f"-metadata:s:v stereo_mode={STEREO_MODES[mode]} " if mode in STEREO_MODES else ""
        raise InvalidVideo(
            f"two views share a picture whose pixels are not square ({aspect.numerator}:{aspect.denominator}), which "
            f"FFmpeg does not write; to make them square: ffmpeg -i {name} -vf scale=iw*sar:ih,setsar=1 {told}"
            "-c:a copy square.mkv"
        )


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise LimitExceeded.of(f"{width}x{height} pixels are more", str(limits.max_pixels), "MAX_PIXELS")
