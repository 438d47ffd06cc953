"""Reads frames to learn on from films and pictures. This is a sandbox's task."""

import struct
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.media import choose_video
from framebrush.sandbox import SandboxedFile
from framebrush_scorer.frames import RgbFrame

LAYOUT = struct.Struct("<II")
"""What precedes the pixels of a frame: its height and its width."""

LEARNED = 0.5
"""The part of a film, from its beginning, that is learned on. What comes behind stays unseen."""

KEPT = 0.9
"""The place in a film of the frame that is shown in previews."""

FAR = 250
"""The most frames that are decoded on the way from a keyframe to a place."""

UNTIMED = 600
"""The most frames that are decoded of a film that does not tell how long it is."""


def sample(source: SandboxedFile, count: int, edge: int, max_pixels: int) -> Iterator[bytes]:
    """Yield frames for :func:`frame_of`: up to ``count`` that are learned on, then one that is not, for previews.

    A picture gives one frame, which is both.

    Args:
        source: The film or picture.
        count: The number of frames to learn on, spread over the first half of a film.
        edge: The greatest shorter edge in pixels; larger frames are made smaller.
        max_pixels: The most pixels that a frame may have.

    Raises:
        InvalidVideo: The file is neither a film nor a picture that FFmpeg reads.
        LimitExceeded: Its frames have too many pixels.
    """
    try:
        with av.open(source, "r", metadata_errors="replace") as container:
            stream = choose_video(container)
            if stream.codec_context is None:
                raise InvalidVideo(f"{source.name}: its codec is not one that FFmpeg decodes")
            pixels = stream.codec_context.width * stream.codec_context.height
            if pixels > max_pixels:
                found = f"{source.name}: {pixels} pixels of a frame are more"
                raise LimitExceeded.of(found, str(max_pixels), "MAX_PICTURE_PIXELS")
            for frame in _chosen(container, stream, count, source):
                yield _item(frame, edge)
                source.alive()
    except av.MemoryError:
        raise
    except av.FFmpegError as error:
        raise InvalidVideo(f"{source.name} is neither a film nor a picture: {error.strerror}") from error


def frame_of(item: bytes | memoryview) -> RgbFrame:
    """Return a frame, RGB uint8 (H, W, 3), from what :func:`sample` gave."""
    height, width = LAYOUT.unpack_from(item)
    return np.frombuffer(item, np.uint8, offset=LAYOUT.size).reshape(height, width, 3).copy()


def _chosen(container: InputContainer, stream: VideoStream, count: int, source: SandboxedFile) -> Iterator[VideoFrame]:
    """Yield the frames at the places that are wanted; there is at least one, or none if nothing can be decoded."""
    seconds = (container.duration or 0) / av.time_base
    if seconds <= 0:
        yield from _spread(_decoded(container, stream, source), count)
        return
    start = (container.start_time or 0) / av.time_base
    places = [*np.linspace(0, LEARNED * seconds, count, endpoint=False), KEPT * seconds]
    last: Any = None
    for place in places:
        frame = _at(container, stream, start + float(place), source)
        if frame is not None and frame.pts != last:
            last = frame.pts
            yield frame


def _at(container: InputContainer, stream: VideoStream, seconds: float, source: SandboxedFile) -> VideoFrame | None:
    """Return the first frame from a time on, or one before it if the keyframe is far away."""
    container.seek(int(seconds * av.time_base), backward=True)
    frame = None
    for number, frame in enumerate(_decoded(container, stream, source)):
        if number >= FAR or frame.time is None or frame.time >= seconds:
            break
    return frame


def _decoded(container: InputContainer, stream: VideoStream, source: SandboxedFile) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                source.alive()
                yield frame
        except av.InvalidDataError:
            continue


def _spread(frames: Iterator[VideoFrame], count: int) -> Iterator[VideoFrame]:
    """Yield frames spread over the first half of some, and the last one. Some twice ``count`` are in memory at most."""
    kept, step = list[VideoFrame](), 1
    for number, frame in enumerate(frames):
        if number >= UNTIMED:
            break
        if number % step == 0:
            kept.append(frame)
        if len(kept) > 2 * count + 1:
            kept, step = kept[::2], 2 * step
    half = max(1, int(len(kept) * LEARNED))
    yield from kept[:half]
    yield from kept[half:][-1:]


def _item(frame: VideoFrame, edge: int) -> bytes:
    scale = min(1.0, edge / min(frame.width, frame.height))
    width, height = (max(1, round(size * scale)) for size in (frame.width, frame.height))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
    return LAYOUT.pack(height, width) + np.ascontiguousarray(pixels).tobytes()
