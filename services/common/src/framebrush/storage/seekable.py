"""The base of files whose bytes are read from elsewhere."""

import io


class SeekableFile(io.RawIOBase):
    """A read-only file of a known size, with a position. A subclass says in ``readinto`` where the bytes come from."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name, self._size, self._position = name, size, 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: the position can be moved."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the beginning."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position by ``offset`` bytes from where ``whence`` says, as in :mod:`io`; return the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position
