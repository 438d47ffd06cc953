"""Decoding one segment, wherever it lies in the video."""

from collections.abc import Iterator

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo
from framebrush.manifest import Segment
from framebrush_splitter.video import frame_time


def decode_segment(container: InputContainer, stream: VideoStream, segment: Segment) -> Iterator[VideoFrame]:
    """The segment's frames in order of presentation, the same that decoding the whole video gives.

    Raises:
        InvalidVideo: frames are missing, or there are others than planned.
    """
    container.seek(segment.start, stream=stream)
    frames = _between(container, stream, segment)
    first = next(frames, None)
    if first is None or frame_time(first) != segment.start:
        # A broken or coarse index led past the start: decode from the beginning of the file.
        container.seek(0)
        frames = _between(container, stream, segment)
        first = next(frames, None)
    if first is None:
        raise InvalidVideo(f"no frame could be decoded between {segment.start} and {segment.end} ticks")
    count, previous = 1, frame_time(first)
    yield first
    for frame in frames:
        if frame_time(frame) <= previous:
            raise InvalidVideo(f"presentation times do not increase at {previous} ticks")
        count, previous = count + 1, frame_time(frame)
        yield frame
    if count != segment.frames:
        raise InvalidVideo(
            f"{count} of {segment.frames} frames could be decoded between {segment.start} and {segment.end} ticks"
        )


def _between(container: InputContainer, stream: VideoStream, segment: Segment) -> Iterator[VideoFrame]:
    for frame in container.decode(stream):
        time = frame_time(frame)
        if time >= segment.end:
            return
        if time >= segment.start:
            yield frame
