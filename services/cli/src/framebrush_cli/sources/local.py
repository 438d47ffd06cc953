"""Files of this computer, as the sandbox's process may read them."""

import os
from pathlib import Path

from framebrush.storage import SeekableFile


class LocalFile(SeekableFile):
    """A file of this computer, as the sandbox's process may read it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        super().__init__(path.name, os.fstat(self._file.fileno()).st_size)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer or a part of it. Return the number of bytes, which is 0 at the end of the file."""
        count = os.preadv(self._file.fileno(), [buffer], self._position)
        self._position += count
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
