"""Parts of blobs as one file."""

from collections.abc import Sequence
from itertools import accumulate

from framebrush.contracts import BlobRef
from framebrush.storage import SeekableFile, Store

CHUNK = 2**20
"""The bytes that are read at a time."""


class Picked(SeekableFile):
    """A read-only file of parts of blobs, one behind the other. One part of :data:`CHUNK` bytes is in memory."""

    def __init__(self, store: Store, parts: Sequence[tuple[BlobRef, int, int]]) -> None:
        """Set what is in the file: of each blob the offset of the part and its length, in bytes. Nothing is read."""
        self._ends = list(accumulate(length for _, _, length in parts))
        super().__init__("frames of packs", self._ends[-1] if parts else 0)
        self._store, self._parts = store, parts
        self._held, self._data = 0, b""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it. Return the number of bytes, which is 0 at the end of the file."""
        if self._position >= self._size:
            return 0
        offset = self._position - self._held
        if not 0 <= offset < len(self._data):
            offset, self._held, self._data = 0, self._position, self._read()
        data = self._data[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read(self) -> bytes:
        """Return bytes from the position on, which do not go beyond a part."""
        number = next(n for n, end in enumerate(self._ends) if self._position < end)
        (ref, start, length), left = self._parts[number], self._ends[number] - self._position
        return self._store.read(ref, start + length - left, min(CHUNK, left))
