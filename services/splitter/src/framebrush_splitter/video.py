"""Opens a video."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from framebrush.contracts import BlobRef
from framebrush.errors import InvalidVideo
from framebrush.media import choose_video, codec_name, numbered, quoted
from framebrush.storage import BlobReader, Store


@contextmanager
def open_video(file: RawIOBase, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video at its beginning, and choose the stream to style.

    Args:
        file: The file, which is seekable and has a name.
        threads: The number of threads that decode; each has at least one frame in memory.

    Yields:
        The container, and the video stream that players choose.

    Raises:
        InvalidVideo: The file is not a video. Decoding within the block may find that, too.
        MemoryError: Decoding takes more memory than this process may have.
    """
    name: str = file.name  # type: ignore[attr-defined]  # our files have a name, their base class does not
    file.seek(0)
    try:
        with av.open(file, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            stream = choose_video(container)
            if stream.codec_context is None:
                raise InvalidVideo(
                    f"{name}: FFmpeg does not decode its video; to see its codec: ffprobe {quoted(name)}"
                )
            # FFV1 tells a wrong checksum in its log, which must be that of this packet.
            stream.thread_type = "SLICE" if codec_name(stream) == "ffv1" else "AUTO"
            stream.codec_context.thread_count = threads
            yield container, stream
    except av.MemoryError:
        raise
    except av.FFmpegError as error:
        how = f"to see what it is: ffprobe {quoted(name)}"
        raise InvalidVideo(f"{name}: not a readable video: {error.strerror}; {how}") from error


def packets_in(container: InputContainer, stream: VideoStream | None = None) -> "Iterator[Packet[Any]]":
    """Yield the packets of a stream, or of all streams that were there when the file was opened.

    Raises:
        InvalidVideo: Another stream begins in the middle.
    """
    try:
        yield from numbered(container.demux(stream) if stream is not None else container.demux(), container)
    except IndexError:  # PyAV raises it for a packet of any other stream
        raise InvalidVideo(
            "a stream begins in the middle that the beginning of the file does not announce; to announce it: "
            f"ffmpeg -analyzeduration 1G -probesize 1G -i {quoted(container.name)} -map 0 -c copy film.mkv"
        ) from None


def read_input(store: Store, ref: BlobRef, size: int, etag: str) -> BlobReader:
    """Return an input blob as a file.

    Args:
        store: Where the blob is.
        ref: The blob.
        size: Its size in bytes.
        etag: The version that is read; another one is refused.

    Raises:
        InvalidVideo: The blob is empty.
    """
    if size == 0:
        raise InvalidVideo(f"{ref} is empty (0 bytes)")
    return BlobReader(store, ref, size, etag)
