"""Decoding one segment, wherever it lies in the video."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Segment
from framebrush.errors import InvalidVideo
from framebrush.media import codec_name
from framebrush_splitter.bitstream import hidden, untimed

UNKNOWN = {"webp_pipe": "animated WebP cannot be decoded: convert it to GIF or MP4 first"}
"""Formats that FFmpeg opens, but does not decode in full."""
Opened: TypeAlias = Callable[[], AbstractContextManager[tuple[InputContainer, VideoStream]]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame's place in the video, and the frame unless its packets are damaged."""

    time: int
    """Presentation time in ticks."""
    duration: int
    """Ticks, 0 if unknown."""
    frame: VideoFrame | None


def decode_segment(opened: Opened, segment: Segment, alive: Callable[[], None] = lambda: None) -> Iterator[Picture]:
    """The segment's pictures in order of presentation, the same that decoding the whole video gives.

    Args:
        opened: opens the video, at its beginning.
        segment: which pictures; it starts where decoding can begin.
        alive: called for each frame before them.

    Raises:
        InvalidVideo: pictures are missing, or there are others than planned, or not one can be decoded.
    """
    for jump in (True, False):  # a broken or coarse index leads past the start: then from the beginning of the file
        with opened() as (container, stream):
            if jump:
                try:
                    container.seek(segment.start, stream=stream)
                except av.FFmpegError:
                    continue
            pictures = _between(container, stream, segment, alive)
            first = next(pictures, None)
            if jump and (first is None or first.time != segment.start or first.frame is None):
                continue
            yield from _checked(first, pictures, segment)
            return


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame that can be decoded.

    Raises:
        InvalidVideo: there is none.
    """
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.InvalidDataError:
            continue
    raise InvalidVideo(f"{container.name}: {UNKNOWN.get(container.format.name, 'no frame could be decoded')}")


def _checked(first: Picture | None, pictures: Iterator[Picture], segment: Segment) -> Iterator[Picture]:
    if first is None:
        raise InvalidVideo(f"no frame could be decoded between {segment.start} and {segment.end} ticks")
    count, decoded = 1, first.frame is not None
    yield first
    for picture in pictures:
        count, decoded = count + 1, decoded or picture.frame is not None
        yield picture
    if count != segment.frames or not decoded:
        raise InvalidVideo(
            f"{count if decoded else 0} of {segment.frames} frames could be decoded "
            f"between {segment.start} and {segment.end} ticks"
        )


def _between(
    container: InputContainer, stream: VideoStream, segment: Segment, alive: Callable[[], None]
) -> Iterator[Picture]:
    """Frames of a range of times, and empty pictures for packets of which none came.

    Decoders give frames in order of presentation, so whatever has not come when a later one comes never will.
    """
    awaited = list[tuple[int, int]]()  # a heap of the times and durations of packets
    timed, previous = not untimed(container, stream), segment.start - 1
    for frame in _frames(container, stream, segment, awaited):
        time = frame.pts if timed else None
        if time is None and awaited:
            time = awaited[0][0]
        if time is None:
            raise InvalidVideo("a frame has no timestamp")
        if time >= segment.end:
            break
        if time < segment.start:
            alive()
            if awaited and awaited[0][0] <= time:
                heapq.heappop(awaited)
            continue
        duration = frame.duration or 0
        while awaited and awaited[0][0] <= time:
            due, length = heapq.heappop(awaited)
            if due == time:
                break
            yield Picture(due, length, None)
        if time < previous:
            raise InvalidVideo(f"presentation times do not increase at {previous} ticks")
        previous = time
        yield Picture(time, duration, frame)
    for time, length in sorted(awaited):
        if segment.start <= time < segment.end:
            yield Picture(time, length, None)


def _frames(
    container: InputContainer, stream: VideoStream, segment: Segment, awaited: list[tuple[int, int]]
) -> Iterator[VideoFrame]:
    """Decode, noting the packets whose frames are to come; a damaged packet gives no frame."""
    codec, by_time = codec_name(stream), not untimed(container, stream)
    for packet in container.demux(stream):
        time = packet.pts if packet.pts is not None else packet.dts
        shown = packet.size and not packet.is_discard and not hidden(packet, codec)
        if shown and time is not None and (time >= segment.start or packet.pts is None or not by_time):
            heapq.heappush(awaited, (time, packet.duration or 0))
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue
