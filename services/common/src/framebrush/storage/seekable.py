"""What files that are read from elsewhere have in common."""

import io


class SeekableFile(io.RawIOBase):
    """A read-only file of a known size, with a position; ``readinto`` is its kinds' own."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name, self._size, self._position = name, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; returns it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position
