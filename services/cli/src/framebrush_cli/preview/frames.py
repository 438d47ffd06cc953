"""Reads some frames of a film, in the sandbox, without reading the film as a whole."""

import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from pydantic import BaseModel

from framebrush.contracts import VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media import UNTIMED, Converter
from framebrush.sandbox import Allowance, Sandbox, SandboxedFile
from framebrush.storage import SeekableFile
from framebrush_splitter.settings import Limits
from framebrush_splitter.tasks import examine
from framebrush_splitter.video import open_video, packets_in

RgbImage = npt.NDArray[np.uint8]
"""A picture (H, W, 3), red first, in 0..255."""

PLACES = (Fraction(1, 6), Fraction(1, 2), Fraction(5, 6))
"""Where in a film the frames of a preview lie, as parts of its time."""
PATIENCE = 8.0
"""The seconds of decoding for one frame, after which the frame that was reached is taken: a film may have one keyframe
only, and is decoded from there."""
FRAME_TIME = 60.0
"""The seconds that the sandbox may work without a sign of life."""
HEADER = struct.Struct("<dII")
"""The layout of what precedes the pixels of a frame: its time in seconds, its height and its width."""


class Film(BaseModel):
    """What is known of a film when its frames are read."""

    video: VideoProperties
    seconds: float
    """The time that it lasts; 0 if its container does not tell."""
    frames: int
    """The number of frames as its container tells it, or by its time and frame rate; 0 if neither is known."""


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of a film."""

    seconds: float
    """The presentation time, counted from the beginning of the film."""
    image: RgbImage
    """The pixels as they are stored: not turned, and not stretched."""


def read_stills(
    sandbox: Sandbox, source: SeekableFile, places: Sequence[Fraction] = PLACES
) -> tuple[Film, list[Still]]:
    """Return what is known of a film, and a frame of each place.

    Args:
        sandbox: Where the film is opened.
        source: The film.
        places: The places as parts of the film's time, in 0..1, which increase.

    Raises:
        PermanentError: The film cannot be styled, as it would be said of a run; see :class:`InvalidVideo`.
        LimitExceeded: It is too large, or takes too much memory or time.
    """
    allowance = Allowance(FRAME_TIME, "MAX_FRAME_TIME", "decoding a frame")
    items = sandbox.run(allowance, source, stills, tuple(places), Limits())
    film, found = Film.model_validate_json(bytes(next(items))), list[Still]()
    for item in items:
        seconds, height, width = HEADER.unpack_from(item)
        pixels = np.frombuffer(item, np.uint8, offset=HEADER.size).reshape(height, width, 3).copy()
        found.append(Still(seconds, pixels))
    return film, found


def stills(source: SandboxedFile, places: Sequence[Fraction], limits: Limits) -> Iterator[bytes]:
    """Yield a :class:`Film` as JSON, and then each frame with its :data:`HEADER`. This is a task of the sandbox."""
    with open_video(source) as (container, stream):
        _, video = examine(source, container, stream, limits)
        base, begin = stream.time_base or Fraction(1), stream.start_time or 0
        seconds, frames = _length(container, stream)
    if not seconds:
        with open_video(source) as (container, stream):
            seconds, frames = _counted(source, container, stream)
    yield Film(video=video, seconds=seconds, frames=frames).model_dump_json().encode()
    converter = Converter(video)
    for place in places:
        frame = _frame_at(source, begin + int(place * Fraction(seconds) / base))
        image = converter.to_image(frame)[..., ::-1]
        time_of = float(((frame.pts or begin) - begin) * base)
        yield HEADER.pack(time_of, *image.shape[:2]) + image.tobytes()


def _length(container: InputContainer, stream: VideoStream) -> tuple[float, int]:
    """Return the seconds and the frames of a film as its container tells them, 0 where it does not."""
    seconds = (container.duration or 0) / av.time_base
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    return seconds, stream.frames or round(seconds * float(stream.average_rate or 0))


def _counted(source: SandboxedFile, container: InputContainer, stream: VideoStream) -> tuple[float, int]:
    """Return the seconds and the frames of a film by its packets, which are read and not decoded."""
    end, count, begin = 0, 0, stream.start_time or 0
    for packet in packets_in(container, stream):
        source.alive()
        if packet.size:
            count, end = count + 1, max(end, (packet.pts or 0) + (packet.duration or 0) - begin)
    return float(end * (stream.time_base or Fraction(1))), count


def _frame_at(source: SandboxedFile, target: int) -> VideoFrame:
    """Return the first frame from a time on, in ticks; else the last one before it that can be decoded.

    Raises:
        InvalidVideo: No frame can be decoded.
    """
    for jump in (True, False):  # An index may lead past the last frame: then the film is decoded from the beginning.
        with open_video(source, threads=2) as (container, stream):
            try:
                if jump and container.format.name not in UNTIMED:
                    container.seek(target, stream=stream, backward=True)
                if frame := _next(source, container, stream, target):
                    return frame
            except av.FFmpegError:
                if not jump:
                    raise
    raise InvalidVideo(f"{source.name}: no frame can be decoded at {target} ticks")


def _next(source: SandboxedFile, container: InputContainer, stream: VideoStream, target: int) -> VideoFrame | None:
    last, end = None, time.monotonic() + PATIENCE
    for packet in packets_in(container, stream):
        with suppress(av.InvalidDataError):
            for frame in packet.decode():
                source.alive()
                if frame.is_corrupt or frame.pts is None:
                    continue
                last = frame
                if frame.pts >= target or time.monotonic() > end:
                    return last
    return last
