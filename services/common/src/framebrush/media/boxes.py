"""The boxes of MP4 and QuickTime (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator
from typing import Any


def boxes_in(file: Any, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box in a part of a file, where it is, and where it ends."""
    while position + 8 <= end:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        size, kind = struct.unpack(">I4s", header)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        last = position + size if size >= 8 else end
        yield kind, position, last
        position = last


def inside(file: Any, path: tuple[bytes, ...], position: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each box of a path begins and ends: the first name is that of the outermost boxes."""
    for kind, place, last in boxes_in(file, position, end):
        if kind == path[0] and len(path) == 1:
            yield place, last
        elif kind == path[0]:
            yield from inside(file, path[1:], place + 8, last)
