"""Reads what must survive a run from a media file. It needs the extra ``framebrush[video]``."""

import hashlib
import struct
from array import array
from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate

from av.codec.context import Flags
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Rational, VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media.captions import CaptionLog
from framebrush.media.clock import Clock, Log, find_shifts, has_zero
from framebrush.media.display import Display, read_display
from framebrush.media.naming import codec_name, quoted
from framebrush.media.raw import numbered
from framebrush.media.shown import Shown
from framebrush.media.sidedata import side_data
from framebrush.media.tags import compared_tags
from framebrush.media.tracks import COPIED, Track, is_picture

PRIMARIES = frozenset((1, *range(4, 13), 22))
TRANSFERS = frozenset((1, *range(4, 19)))
MATRICES = frozenset((0, 1, *range(4, 18)))
"""The code points of ITU-T H.273, tables 2 to 4, that are neither reserved nor unspecified."""


def choose_video(container: InputContainer) -> VideoStream:
    """Return the stream to style: the one that a player would show, and never cover art. It is cropped exactly.

    Raises:
        InvalidVideo: There is no such stream.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise InvalidVideo(
            f"{container.name}: no video stream in this {container.format.long_name} file; "
            f"to see what is in it: ffprobe {quoted(container.name)}"
        )
    best = container.streams.best("video")
    return crop_exactly(next((s for s in streams if s is best), streams[0]))


def crop_exactly(stream: VideoStream) -> VideoStream:
    """Make decoding leave out every pixel that the pictures hide, and return the stream.

    Otherwise FFmpeg shows hidden columns at the left if their number does not suit the alignment of its memory.
    """
    if stream.codec_context is not None:
        stream.codec_context.flags |= Flags.unaligned
    return stream


@dataclass(frozen=True)
class MediaInfo:
    """What must survive a run."""

    video: VideoProperties
    times: "array[int]"
    """The presentation times of the video's frames in ticks, strictly increasing."""
    tracks: tuple[Track, ...]
    """The tracks of audio, subtitles and cover art."""
    chapters: tuple[tuple[Fraction, Fraction, str], ...]
    """The chapters: the start and the end of each in seconds, and its title."""
    metadata: dict[str, str]
    attachments: tuple[str, ...]
    """The attachments, such as fonts: the name of each and its SHA-256."""
    display: Display = field(default_factory=Display)
    timecode: str | None = None
    """The timecode of the first frame, ``hh:mm:ss:ff``, with a semicolon where frame numbers are dropped."""
    length: int | None = None
    """The duration of the video's last frame in ticks; None if the container tells none."""
    format: str = ""
    """FFmpeg's name of the container's format."""
    captions: "array[int]" = field(default_factory=lambda: array("Q"))
    """A hash of each frame's closed captions, 0 where it has none; no hashes if no frame has any."""


def strictly_increasing(times: Sequence[int]) -> "array[int]":
    """Return times that do not decrease as times that increase, as 64-bit integers.

    If frames share a time, each gets a time one tick after the frame before. Frames share a tick where the ticks of a
    container are coarse, but encoders and players need an order.
    """
    result = array("q", times)
    for index in range(1, len(result)):
        result[index] = max(result[index], result[index - 1] + 1)
    return result


def read_media_info(container: InputContainer, video: VideoStream | None = None) -> MediaInfo:
    """Read a whole file once, and decode one frame of its video.

    Args:
        container: The file, opened and not yet read from.
        video: The stream that is styled; by default the one that players choose.

    Raises:
        InvalidVideo: The file has no video.
        av.FFmpegError: The file cannot be read.
    """
    stream, frame = crop_exactly(video or choose_video(container)), None
    shown, key = Shown(stream), None
    tracks = {s.index: Track.of(s) for s in container.streams if s is stream or s.type in COPIED or is_picture(s)}
    logs, latest, length = dict[int, Log](), 0, None
    free, captions = not has_zero(container.format.name, stream), CaptionLog(codec_name(stream))
    for packet in numbered(container.demux([container.streams[index] for index in tracks]), container):
        index = packet.stream.index
        track = tracks[index]
        if free and packet.size and packet.stream.type in ("video", "audio"):
            if index not in logs:
                logs[index] = Log.of(packet.stream)
            logs[index].add(packet)
        if packet.stream is stream and frame is None:
            frame = next(iter(stream.decode(packet)), None)
        if packet.stream is stream and key is None and packet.is_keyframe:
            key = packet.pts
        counts = shown(packet) if packet.stream is stream else track.keeps(packet)
        if packet.stream is stream and not packet.is_discard:
            captions.add(packet, begins=counts)
        if counts:
            track.add(packet)
            if packet.stream is stream and (packet.pts or 0) >= latest:
                latest, length = packet.pts or 0, shown.duration(packet) or None
    if frame is None:
        raise InvalidVideo(f"{container.name}: no frame could be decoded")
    properties = read_properties(stream, frame)
    base = Fraction(*properties.time_base)
    clock = Clock(find_shifts(container.format.name, logs, base), base)
    for track in tracks.values():
        (end,) = clock.moved([track.last[0]], [track.positions[-1] if track.positions else 0], track.time_base)
        times = clock.moved(track.times, track.positions, track.time_base)
        # A packet of sound that claims to come before the one before it comes at the same time, as players have it.
        track.times = array("q", accumulate(times, max)) if track.kind == "audio" else times
        track.last = end, track.last[1]
    first, key = (None if time is None else clock.moved([time], [0], base)[0] for time in (frame.pts, key))
    stored = tracks.pop(stream.index).times
    times, hashes = strictly_increasing(_from_beginning(sorted(stored), first, key)), captions.ordered(stored)
    return MediaInfo(
        properties,
        times,
        tuple(tracks.values()),
        *labels_of(container),
        read_display(stream),
        timecode_of(container, stream),
        length,
        container.format.name,
        hashes[-len(times) :],
    )


def timecode_of(container: InputContainer, video: Stream) -> str | None:
    """Return the timecode of a video's first frame, None if there is none.

    It is told by the stream, by the whole file, or by a track of its own (``tmcd`` in QuickTime).
    """
    for metadata in (video.metadata, container.metadata, *(stream.metadata for stream in container.streams.data)):
        for name, text in metadata.items():
            if name.lower() == "timecode":
                return text
    return None


def _from_beginning(times: list[int], first: int | None, key: int | None) -> list[int]:
    """Return sorted times without those that no player shows: before the first frame that can be decoded.

    A file may begin in the middle of a group of pictures. If its first keyframe is damaged, the times before are kept.
    """
    return times[bisect_left(times, min(first, key)) :] if first is not None and key is not None else times


def labels_of(
    container: InputContainer, streams: Container[int] | None = None
) -> tuple[tuple[tuple[Fraction, Fraction, str], ...], dict[str, str], tuple[str, ...]]:
    """Return the chapters, the metadata, and the attachments, only those in ``streams`` if that is given."""
    chapters = (
        (
            chapter["start"] * (chapter["time_base"] or Fraction(1)),
            chapter["end"] * (chapter["time_base"] or Fraction(1)),
            chapter["metadata"].get("title", ""),
        )
        for chapter in container.chapters()
    )
    attachments = (
        f"{stream.metadata.get('filename')} {hashlib.sha256(stream.data).hexdigest()[:16]}"
        for stream in container.streams.attachments
        if streams is None or stream.index in streams
    )
    return tuple(chapters), compared_tags(container.metadata), tuple(attachments)


def read_properties(stream: VideoStream, frame: VideoFrame) -> VideoProperties:
    """Return the properties of a stream, given its first decoded frame: only decoding tells the tags for sure."""
    matrix = side_data(frame, "DISPLAYMATRIX")
    if stream.time_base is None:
        raise InvalidVideo("the video stream has no time base")
    return VideoProperties(
        stream=stream.index,
        codec=codec_name(stream),
        width=frame.width,
        height=frame.height,
        pixel_format=frame.format.name,
        time_base=(stream.time_base.numerator, stream.time_base.denominator),
        frame_rate=_rational(stream.average_rate),
        sample_aspect_ratio=_rational(stream.sample_aspect_ratio),
        rotation=struct.unpack("<9i", matrix) if matrix is not None else None,
        color_range=int(frame.color_range),
        color_primaries=_named(frame.color_primaries, PRIMARIES),
        color_trc=_named(frame.color_trc, TRANSFERS),
        color_space=_named(frame.colorspace, MATRICES),
    )


def _named(code: int, named: frozenset[int]) -> int:
    """Return a code point, as unspecified if it is reserved: that is how players take it, and no encoder writes it."""
    return code if code in named else 2


def _rational(value: Fraction | None) -> Rational | None:
    return (value.numerator, value.denominator) if value else None
