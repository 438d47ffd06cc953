"""A case of the torture set."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.film import Film


@dataclass(frozen=True)
class Case:
    """A film, and what comes back of it. What is not named here must come back exactly."""

    name: str
    """For the table in docs/video.md."""
    file: str
    """The file's name."""
    make: Film | Callable[[Path], Path]
    """Writes the file to the path."""
    lost: str = ""
    """What is not kept, and why, for the table."""
    refused: str = ""
    """What the refusal says, where the film is refused."""
    late: bool = False
    """Whether only decoding can tell that it is to be refused."""
    notes: tuple[str, ...] = ()
    """Words of the notes in the report, one each."""
    failed: int = 0
    """Frames that the report lists as failed."""
    psnr: float = 40.0
    """Least likeness of every frame to the input's, in dB; the test's output is nearly lossless."""
    differs: tuple[str, ...] = ()
    """The checks that fail when the output is compared with all of the input, and not with what was to be kept."""
    segments: int = 1
    """Least number of segments that it must be cut into."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the request, beside those of the test."""

    @property
    def row(self) -> str:
        """Its row in the table."""
        kept = "—" if self.refused else "all else" if self.lost else "everything"
        return f"| {self.name} | {kept} | {self.lost or '—'} |"

    def write(self, folder: Path) -> Path:
        """Make the file."""
        path = folder / self.file
        return self.make.write(path) if isinstance(self.make, Film) else self.make(path)
