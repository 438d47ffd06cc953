"""Reads what must survive a run from a media file. It needs the extra ``framebrush[video]``."""

import hashlib
import struct
from array import array
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Rational, VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media.clock import WITHOUT_ZERO, Clock, Log, find_shifts

COPIED = ("audio", "subtitle")
"""The types of streams whose packets go into the output as they are."""
ALIASES = {"mp2": "mp3"}
"""Names of codecs that mean the same here: MP4 does not tell the layer of MPEG audio."""
TITLES = ("title", "artist", "album", "comment", "copyright", "date", "description", "genre")
"""The metadata of a container that every format we write can carry."""


def codec_name(stream: Stream) -> str:
    """Return the name of a stream's codec, and not of FFmpeg's decoder for it; the stream's type if it has no codec."""
    context = cast(Any, stream.codec_context)
    name = str(context.codec.canonical_name) if context is not None else stream.type
    return ALIASES.get(name, name)


def choose_video(container: InputContainer) -> VideoStream:
    """Return the stream to style: the one that a player would show, and never cover art.

    Raises:
        InvalidVideo: There is no such stream.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise InvalidVideo(f"{container.name}: no video stream in this {container.format.long_name} file")
    best = container.streams.best("video")
    return next((s for s in streams if s is best), streams[0])


@dataclass
class Track:
    """What is kept of a stream's packets, in the order in which they are stored."""

    kind: str
    codec: str
    time_base: Fraction
    language: str
    disposition: Disposition
    hashed: bool
    """Whether the packets of the output must be the same."""
    times: "array[int]" = field(default_factory=lambda: array("q"))
    """The presentation times of the packets, in ticks."""
    digest: Any = field(default_factory=hashlib.sha256)
    """The SHA-256 over the lengths and contents of all packets."""

    @classmethod
    def of(cls, stream: Stream) -> "Track":
        """Return the track of a stream, still without packets."""
        language = stream.metadata.get("language", "und")
        hashed = stream.type in COPIED or is_picture(stream)
        base = stream.time_base or Fraction(1)
        return cls(stream.type, codec_name(stream), base, language, stream.disposition, hashed)

    def add(self, packet: "Packet[Any]") -> None:
        """Add a packet to the times and the hash."""
        self.times.append(packet.pts if packet.pts is not None else packet.dts or 0)
        if self.hashed:
            data = bytes(packet)
            self.digest.update(len(data).to_bytes(8, "big"))
            self.digest.update(data)


@dataclass(frozen=True)
class MediaInfo:
    """What must survive a run."""

    video: VideoProperties
    times: "array[int]"
    """The presentation times of the video's frames in ticks, strictly increasing."""
    tracks: tuple[Track, ...]
    """The tracks of audio, subtitles and cover art."""
    chapters: tuple[tuple[Fraction, str], ...]
    """The chapters: the start of each in seconds, and its title."""
    metadata: dict[str, str]
    attachments: tuple[str, ...]
    """The attachments, such as fonts: the name of each and its SHA-256."""
    timecode: str | None = None
    """The timecode of the first frame, ``hh:mm:ss:ff``, with a semicolon where frame numbers are dropped."""


def is_extra(stream: Stream) -> bool:
    """Return whether a stream is cover art or a font. It is kept if the output's container can carry it."""
    return stream.type == "attachment" or is_picture(stream)


def is_picture(stream: Stream) -> bool:
    """Return whether a stream is cover art."""
    return bool(stream.disposition & Disposition.attached_pic)


def strictly_increasing(times: Sequence[int]) -> "array[int]":
    """Return times that do not decrease as times that increase, as 64-bit integers.

    If frames share a time, each gets a time one tick after the frame before. Frames share a tick where the ticks of a
    container are coarse, but encoders and players need an order.
    """
    result = array("q", times)
    for index in range(1, len(result)):
        result[index] = max(result[index], result[index - 1] + 1)
    return result


def is_gap(packet: "Packet[Any]", codec: str) -> bool:
    """Return whether a packet is the gap between two texts, which the muxer of MP4 writes by itself."""
    return codec == "mov_text" and bytes(packet)[:2] == b"\0\0"


def read_media_info(container: InputContainer, video: VideoStream | None = None) -> MediaInfo:
    """Read a whole file once, and decode one frame of its video.

    Args:
        container: The file, opened and not yet read from.
        video: The stream that is styled; by default the one that players choose.

    Raises:
        InvalidVideo: The file has no video.
        av.FFmpegError: The file cannot be read.
    """
    stream, frame = video or choose_video(container), None
    tracks = {s.index: Track.of(s) for s in container.streams if s is stream or s.type in COPIED or is_picture(s)}
    logs, positions = dict[int, Log](), {index: array("q") for index in tracks}
    for packet in container.demux([container.streams[index] for index in tracks]):
        track = tracks[packet.stream.index]
        log = logs.setdefault(packet.stream.index, Log.of(packet.stream))
        if container.format.name in WITHOUT_ZERO and packet.size and packet.stream.type in ("video", "audio"):
            log.add(packet)
        if packet.stream is stream and frame is None:
            frame = next(iter(stream.decode(packet)), None)
        if packet.size and not (packet.stream is stream and packet.is_discard) and not is_gap(packet, track.codec):
            track.add(packet)
            where = positions[packet.stream.index]
            where.append(packet.pos if packet.pos is not None else where[-1] if where else 0)
    if frame is None:
        raise InvalidVideo(f"{container.name}: no frame could be decoded")
    properties = read_properties(stream, frame)
    clock = Clock(
        find_shifts(container.format.name, logs, Fraction(*properties.time_base)), Fraction(*properties.time_base)
    )
    for index, track in tracks.items():
        track.times = clock.moved(track.times, positions[index], track.time_base)
    times = strictly_increasing(sorted(tracks.pop(stream.index).times))
    labels = labels_of(container)
    return MediaInfo(properties, times, tuple(tracks.values()), *labels, timecode_of(container, stream))


def timecode_of(container: InputContainer, video: Stream) -> str | None:
    """Return the timecode of a video's first frame, None if there is none.

    It is told by the stream, by the whole file, or by a track of its own (``tmcd`` in QuickTime).
    """
    for metadata in (video.metadata, container.metadata, *(stream.metadata for stream in container.streams.data)):
        for name, text in metadata.items():
            if name.lower() == "timecode":
                return text
    return None


def labels_of(
    container: InputContainer, streams: Container[int] | None = None
) -> tuple[tuple[tuple[Fraction, str], ...], dict[str, str], tuple[str, ...]]:
    """Return the chapters, the metadata, and the attachments, only those in ``streams`` if that is given."""
    chapters = (
        (chapter["start"] * (chapter["time_base"] or Fraction(1)), chapter["metadata"].get("title", ""))
        for chapter in container.chapters()
    )
    metadata = {name.lower(): text for name, text in container.metadata.items() if name.lower() in TITLES}
    attachments = (
        f"{stream.metadata.get('filename')} {hashlib.sha256(stream.data).hexdigest()[:16]}"
        for stream in container.streams.attachments
        if streams is None or stream.index in streams
    )
    return tuple(chapters), metadata, tuple(attachments)


def read_properties(stream: VideoStream, frame: VideoFrame) -> VideoProperties:
    """Return the properties of a stream, given its first decoded frame: only decoding tells the tags for sure."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
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
        rotation=struct.unpack("<9i", bytes(cast(SideData, matrix))) if matrix is not None else None,
        color_range=int(frame.color_range),
        color_primaries=int(frame.color_primaries),
        color_trc=int(frame.color_trc),
        color_space=int(frame.colorspace),
    )


def _rational(value: Fraction | None) -> Rational | None:
    return (value.numerator, value.denominator) if value else None
