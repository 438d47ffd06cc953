"""Puts together what a decoder gives and what packets announce: frames in order, and what is missing among them."""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from av.video.frame import VideoFrame

from framebrush.errors import InvalidVideo

PATIENCE = 8
"""The number of frames among which one comes whose time is earlier; else it is taken for damaged. They are in memory.
"""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame with its place in the video."""

    time: int
    """The presentation time in ticks."""
    duration: int
    """The duration in ticks, 0 if it is unknown."""
    frame: VideoFrame | None
    """The decoded frame, None if its packets are damaged, even if the decoder conceals it."""
    captions: bytes = b""
    """Its closed captions, see :mod:`framebrush.media.captions`. They are read from the packets: a decoder that begins
    at an open group of pictures adds those of the pictures that it leaves out to the next one."""
    moved: bool = False
    """Whether the container tells another time for it: times are out of order, and frames come as decoders give them.
    """


class Presentation:
    """Gives the frames of a decoder the times that packets announce, in order.

    Nearly always a frame has its own time, which is the next one that is awaited. Where a time is passed over, its
    frame is damaged, or the container has times in another order than the pictures: then it comes soon. As in players,
    the frames are shown in the order in which the decoder gives them.
    """

    def __init__(self, begin: int) -> None:
        """Begin before the first frame.

        Args:
            begin: The time at which the frames begin, in ticks.
        """
        self.awaited = list[tuple[int, int]]()
        """A heap of the times and the durations of packets whose frames have not come."""
        self.texts = dict[int, bytes]()
        """The closed captions of packets, by their times."""
        self._held, self._times = deque[tuple[int, VideoFrame]](), list[int]()
        self._begin, self._previous = begin, begin - 1

    def add(self, frame: VideoFrame, time: int) -> Iterator[DecodedFrame]:
        """Add the next frame that is decoded. Yield what is known to be next.

        Args:
            frame: The frame.
            time: The time that the container tells for it, in ticks.

        Raises:
            InvalidVideo: Its time is before that of a frame that was shown.
        """
        self._held.append((time, frame))
        heapq.heappush(self._times, time)
        while self._held:
            if self.awaited and self.awaited[0][0] < self._times[0]:
                if len(self._held) <= PATIENCE:
                    return
                yield self._missing()
            else:
                yield self._next()

    def end(self, end: int) -> Iterator[DecodedFrame]:
        """Yield what is left before a time: no further frame comes."""
        while self._held:
            yield self._missing() if self.awaited and self.awaited[0][0] < self._times[0] else self._next()
        while self.awaited and self.awaited[0][0] < end:
            missing = self._missing()
            if missing.time >= self._begin:
                yield missing

    def _next(self) -> DecodedFrame:
        told, frame = self._held.popleft()
        time, length = heapq.heappop(self._times), frame.duration or 0
        if self.awaited and self.awaited[0][0] == time:
            announced = heapq.heappop(self.awaited)[1]
            length = length if told == time else announced
        if time < self._previous:
            raise InvalidVideo(f"presentation times do not increase at {self._previous} ticks")
        self._previous = time
        return DecodedFrame(time, length, None if frame.is_corrupt else frame, self._text(told), told != time)

    def _missing(self) -> DecodedFrame:
        time, length = heapq.heappop(self.awaited)
        return DecodedFrame(time, length, None, self._text(time))

    def _text(self, time: int) -> bytes:
        return self.texts.pop(time, b"")
