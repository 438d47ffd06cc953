"""Opening a video and reading what must be known of it."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo
from framebrush.manifest import Rational, VideoProperties
from framebrush.reader import BlobReader


@contextmanager
def open_video(reader: BlobReader) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container and choose the stream to style: the one a player would show, never cover art.

    Raises:
        InvalidVideo: not a video; also when decoding within the block finds so.
        Exception: what reading the blob raised, rather than what FFmpeg made of it.
    """
    try:
        with av.open(reader, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise InvalidVideo(f"{reader.name}: no video stream in this {container.format.long_name} file")
            best = container.streams.best("video")
            stream = next((s for s in streams if s is best), streams[0])
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        if reader.failure is not None:
            raise reader.failure from error
        raise InvalidVideo(f"{reader.name}: not a readable video: {error.strerror}") from error


def read_properties(stream: VideoStream, frame: VideoFrame) -> VideoProperties:
    """The properties of a stream, given its first decoded frame: only decoding tells the tags for sure."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if stream.time_base is None:
        raise InvalidVideo("the video stream has no time base")
    return VideoProperties(
        stream=stream.index,
        codec=stream.codec_context.name,
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


def frame_time(frame: VideoFrame) -> int:
    """A frame's presentation time in ticks; containers without one (AVI) count decoding times.

    Raises:
        InvalidVideo: the frame has no time at all.
    """
    time = frame.pts if frame.pts is not None else frame.dts
    if time is None:
        raise InvalidVideo("a frame has no timestamp")
    return time
