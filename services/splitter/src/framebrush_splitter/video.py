"""Opening a video."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo
from framebrush.facts import choose_video
from framebrush.reader import BlobReader


@contextmanager
def open_video(reader: BlobReader) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container and choose the stream to style.

    Raises:
        InvalidVideo: not a video; also when decoding within the block finds so.
        Exception: what reading the blob raised, rather than what FFmpeg made of it.
    """
    try:
        with av.open(reader, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            stream = choose_video(container)
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        if reader.failure is not None:
            raise reader.failure from error
        raise InvalidVideo(f"{reader.name}: not a readable video: {error.strerror}") from error
