"""The elements of Matroska: how FFmpeg is told what PyAV has no words for."""

from collections.abc import Callable, Iterator
from itertools import islice

HEAD, SEGMENT, INFO, TRACKS, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
ENTRY = 0xAE
"""The identifiers of elements (RFC 9559, section 5.1)."""


def with_entry(file: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return a Matroska file of one track with its TrackEntry changed, and without an index."""
    (_, head), (_, segment) = islice(elements(file), 2)
    tracks = joined([(ENTRY, change(child(segment, TRACKS, ENTRY)))])
    kept = [(name, data) for name, data in elements(segment) if name in (INFO, TRACKS, CLUSTER)]
    return joined([(HEAD, head), (SEGMENT, joined([(n, tracks if n == TRACKS else data) for n, data in kept]))])


def joined(elements: list[tuple[int, bytes]]) -> bytes:
    """Return EBML elements as bytes, each with a size of eight bytes."""
    return b"".join(
        name.to_bytes((name.bit_length() + 7) // 8, "big") + b"\x01" + len(data).to_bytes(7, "big") + data
        for name, data in elements
    )


def child(data: bytes, *path: int) -> bytes:
    """Return the content of the first element at a path of identifiers, empty if there is none."""
    for wanted in path:
        data = next((content for name, content in elements(data) if name == wanted), b"")
    return data


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the identifiers and the contents of EBML elements (RFC 8794, sections 4 to 6)."""
    position = 0
    while position + 1 < len(data):
        width = 9 - data[position].bit_length()
        name = int.from_bytes(data[position : position + width], "big")
        position += width
        if position >= len(data) or not data[position]:
            return
        width = 9 - data[position].bit_length()
        size = int.from_bytes(data[position : position + width], "big") & ((1 << 7 * width) - 1)
        position += width
        unknown = size == (1 << 7 * width) - 1
        yield name, data[position:] if unknown else data[position : position + size]
        position = len(data) if unknown else position + size
