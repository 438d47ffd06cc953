"""Opening a video."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.contracts import BlobRef
from framebrush.errors import InvalidVideo
from framebrush.media import choose_video
from framebrush.storage import BlobReader, Store


@contextmanager
def open_video(file: RawIOBase, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a container, from its beginning, and choose the stream to style.

    Args:
        file: Seekable, with a name.
        threads: That decode, each with a frame or more in memory.

    Raises:
        InvalidVideo: not a video; also when decoding within the block finds so.
        MemoryError: decoding takes too much.
    """
    name: str = file.name  # type: ignore[attr-defined]  # which raw files have, but not their base class
    file.seek(0)
    try:
        with av.open(file, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            stream = choose_video(container)
            if stream.codec_context is None:
                raise InvalidVideo(f"{name}: its codec is not one that FFmpeg decodes")
            stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
            yield container, stream
    except av.MemoryError:
        raise
    except av.FFmpegError as error:
        raise InvalidVideo(f"{name}: not a readable video: {error.strerror}") from error


def read_input(store: Store, ref: BlobRef, size: int, etag: str) -> BlobReader:
    """Return an input as a file.

    Raises:
        InvalidVideo: It is empty.
    """
    if size == 0:
        raise InvalidVideo(f"{ref} is empty (0 bytes)")
    return BlobReader(store, ref, size, etag)
