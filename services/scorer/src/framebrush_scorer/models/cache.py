"""Keeps weights of the library on the disk of this machine, so that they are fetched once."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from framebrush.styles import Library

MOST = 32
"""The most files that are kept; those of a shipped style's size take 18 MB."""


class WeightsCache:
    """Files of weights by their SHA-256. Processes may share the folder."""

    def __init__(self, library: Library, folder: Path | None = None) -> None:
        """Set where the files are. Nothing is fetched yet.

        Args:
            library: Where weights come from.
            folder: The folder of the files; by default one in the system's folder for temporary files.
        """
        self._library = library
        self.folder = folder or Path(tempfile.gettempdir()) / f"framebrush-weights-{os.getuid()}"

    def file(self, digest: str) -> Path:
        """Return the file of weights, which has the bytes that were added to the library.

        Raises:
            InvalidWeights: The library does not have these bytes.
        """
        path = self.folder / f"{digest}.safetensors"
        with suppress(OSError):
            if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                os.utime(path)
                return path
        content = self._library.weights(digest)
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as partial:
            partial.write(content)
        Path(partial.name).replace(path)
        self._tidy(path)
        return path

    def _tidy(self, keep: Path) -> None:
        """Remove the files that were not used for longest. Another process may do the same."""
        with suppress(OSError):
            by_age = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in by_age[MOST:]:
                if path != keep:
                    path.unlink(missing_ok=True)
