"""Which bytes of a film its plan needs: where an index lists all packets, that is a small part of the file."""

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import cast

from av.container import InputContainer
from av.index import IndexEntry
from av.stream import Stream
from av.video.stream import VideoStream

from framebrush.media import Shown, codec_name
from framebrush.storage import SeekableFile

INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"
"""The formats whose index lists all packets. Where films have fragments, it lists those that were read already."""
SOUND = ("aac", "alac", "flac", "opus")
"""Sound of which a packet of MP4 tells nothing that is needed; FFmpeg parses the packets of other codecs."""
HEAD = 16 * 1024
"""The bytes of a keyframe that tell whether decoding can begin there: what is before its first slice, and more."""
EDGE = 110
"""The packets of sound that are needed at the beginning and at the end, with which its copy is rehearsed."""
LEAST, WORTH, FEW = 2**18, 2**20, 100
"""The fewest bytes that are left out at a place, and on average: a request for what is behind them takes as long as to
read these. So few requests do not matter."""

SHARE = 0.5
"""The part of a file that must be left out, or it is not worth the trouble."""

Range = tuple[int, int]
"""Bytes of a file: the offset of the first one, and of that behind the last one."""


class SparseFile(SeekableFile):
    """A file of which some bytes are never read: they are zeros."""

    def __init__(self, source: SeekableFile) -> None:
        super().__init__(source.name, source.seek(0, io.SEEK_END))
        self._source, self._starts, self._ends = source, list[int](), list[int]()

    def leave_out(self, ranges: Iterable[Range]) -> None:
        """From now on, leave these bytes out.

        Args:
            ranges: What to leave out, by increasing offset; no two overlap.
        """
        self._starts, self._ends = [list(column) for column in zip(*ranges, strict=True)] or [[], []]

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it. Return the number of bytes, which is 0 at the end of the file."""
        place = bisect_right(self._starts, self._position)
        if place and self._position < self._ends[place - 1]:
            count = min(len(buffer), self._ends[place - 1] - self._position)
            buffer[:count] = bytes(count)
        else:
            most = self._starts[place] - self._position if place < len(self._starts) else len(buffer)
            self._source.seek(self._position)
            with memoryview(buffer) as whole:
                count = self._source.readinto(whole[:most]) or 0
        self._position += count
        return count


def unneeded(container: InputContainer, video: VideoStream) -> list[Range]:
    """Return the bytes that a plan can do without; nothing if it needs most of them, or the index does not tell.

    The times of all packets are in the index. What is left are the beginnings of keyframes, and the ends of all other
    streams.

    Args:
        container: The film, opened.
        video: The stream that is styled.
    """
    if container.format.name != INDEXED or not _tells_by_keyframes(video):
        return []
    left = sorted(piece for stream in container.streams for piece in _pieces(stream, video))
    merged = [piece for piece in _merged(left) if piece[1] - piece[0] >= LEAST]
    size, requests = sum(end - start for start, end in merged), len(merged)
    enough = size > SHARE * container.size and (requests <= FEW or size > requests * WORTH)
    apart = all(one[1] <= two[0] for one, two in pairwise(merged))
    return merged if enough and apart and merged[-1][1] <= container.size else []


def _tells_by_keyframes(video: VideoStream) -> bool:
    """Return whether all that is asked of other packets than keyframes is their time."""
    return codec_name(video) in ("h264", "hevc") and not Shown(video).looks_inside


def _pieces(stream: Stream, video: Stream) -> Iterator[Range]:
    """Yield the bytes of a stream that are not needed."""
    entries = cast(Sequence[IndexEntry], stream.index_entries)
    if stream is video:
        for entry in entries:
            needed = min(HEAD, entry.size) if entry.is_keyframe else 0
            yield entry.pos + needed, entry.pos + entry.size
    elif stream.type == "audio" and codec_name(stream) in SOUND:
        for number in range(EDGE, len(entries) - EDGE):
            yield entries[number].pos, entries[number].pos + entries[number].size


def _merged(pieces: Iterable[Range]) -> Iterator[Range]:
    """Yield neighbouring pieces as one."""
    last: Range | None = None
    for start, end in pieces:
        if start == end:
            continue
        if last is not None and start == last[1]:
            last = last[0], end
            continue
        if last is not None:
            yield last
        last = start, end
    if last is not None:
        yield last
