"""Decoding one segment, at any place in the video."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Segment, Shift
from framebrush.errors import InvalidVideo
from framebrush.media import Clock, codec_name
from framebrush_splitter.bitstream import hidden, untimed

UNDECODABLE = {"webp_pipe": "animated WebP cannot be decoded: convert it to GIF or MP4 first"}
"""Formats that FFmpeg opens but does not decode in full, and what to do about them."""
Opened: TypeAlias = Callable[[], AbstractContextManager[tuple[InputContainer, VideoStream]]]


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame with its place in the video."""

    time: int
    """The presentation time in ticks."""
    duration: int
    """The duration in ticks, 0 if it is unknown."""
    frame: VideoFrame | None
    """The decoded frame, None if its packets are damaged."""


def decode_segment(
    opened: Opened, segment: Segment, shifts: Sequence[Shift] = (), alive: Callable[[], None] = lambda: None
) -> Iterator[DecodedFrame]:
    """Yield the frames of a segment in order of presentation: the same frames that decoding the whole video gives.

    Args:
        opened: Opens the video, at its beginning.
        segment: The segment; decoding can begin at its first frame.
        shifts: By how much the times of the file's packets are moved.
        alive: Is called for each frame that is decoded before the segment begins.

    Raises:
        InvalidVideo: The segment has more or fewer frames than planned, or none of them can be decoded.
    """
    for jump in (True, False):  # an index may lead past the start: then decode from the beginning
        with opened() as (container, stream):
            if jump:
                try:
                    if segment.position is None:
                        container.seek(segment.start, stream=stream)
                    else:
                        container.seek(segment.position, stream=stream, unsupported_byte_offset=True)
                except av.FFmpegError:
                    continue
            frames = _between(container, stream, segment, shifts, alive)
            first = next(frames, None)
            if jump and (first is None or first.time != segment.start or first.frame is None):
                continue
            yield from _checked(first, frames, segment)
            return


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """Return the first frame that can be decoded.

    Raises:
        InvalidVideo: No frame can be decoded.
    """
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.InvalidDataError:
            continue
    raise InvalidVideo(f"{container.name}: {UNDECODABLE.get(container.format.name, 'no frame could be decoded')}")


def _checked(first: DecodedFrame | None, others: Iterator[DecodedFrame], segment: Segment) -> Iterator[DecodedFrame]:
    if first is None:
        raise InvalidVideo(f"no frame could be decoded between {segment.start} and {segment.end} ticks")
    count, decoded = 1, first.frame is not None
    yield first
    for each in others:
        count, decoded = count + 1, decoded or each.frame is not None
        yield each
    if count != segment.frames or not decoded:
        raise InvalidVideo(
            f"{count if decoded else 0} of {segment.frames} frames could be decoded "
            f"between {segment.start} and {segment.end} ticks"
        )


def _between(
    container: InputContainer,
    stream: VideoStream,
    segment: Segment,
    shifts: Sequence[Shift],
    alive: Callable[[], None],
) -> Iterator[DecodedFrame]:
    """Yield the frames of a segment, with None in the place of each frame that its packet did not give.

    A decoder gives frames in order of presentation: a frame that has not come before a later one never comes.
    """
    awaited = list[tuple[int, int]]()  # a heap of the times and durations of packets
    timed, previous = not untimed(container, stream), segment.start - 1
    for frame in _frames(container, stream, segment, shifts, awaited):
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
            yield DecodedFrame(due, length, None)
        if time < previous:
            raise InvalidVideo(f"presentation times do not increase at {previous} ticks")
        previous = time
        yield DecodedFrame(time, duration, frame)
    for time, length in sorted(awaited):
        if segment.start <= time < segment.end:
            yield DecodedFrame(time, length, None)


def _frames(
    container: InputContainer,
    stream: VideoStream,
    segment: Segment,
    shifts: Sequence[Shift],
    awaited: list[tuple[int, int]],
) -> Iterator[VideoFrame]:
    """Yield the decoded frames, and push times and durations of packets onto ``awaited``; damaged packets give none."""
    codec, by_time = codec_name(stream), not untimed(container, stream)
    clock = Clock(shifts, stream.time_base or Fraction(1))
    for packet in container.demux(stream):
        clock(packet)
        time = packet.pts if packet.pts is not None else packet.dts
        shown = packet.size and not packet.is_discard and not hidden(packet, codec)
        if shown and time is not None and (time >= segment.start or packet.pts is None or not by_time):
            heapq.heappush(awaited, (time, packet.duration or 0))
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue
