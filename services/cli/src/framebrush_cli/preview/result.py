"""What a preview shows: as a picture, as files, and in numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from framebrush_cli.errors import CommandFailed
from framebrush_cli.preview.frames import Film, Still
from framebrush_cli.preview.painted import Painted
from framebrush_cli.preview.sheet import contact_sheet, picture_files


@dataclass(frozen=True)
class Preview:
    """A film's stills, and what each style makes of them."""

    film: Film
    stills: list[Still]
    painted: list[Painted]

    def sheet(self) -> Image.Image:
        """Return the contact sheet."""
        return contact_sheet(self.film.video, self.stills, self.painted)

    def write(self, target: Path, *, sheet_only: bool) -> list[Path]:
        """Write the sheet, or a folder of it and all pictures; return the files, the sheet first.

        Raises:
            CommandFailed: A file cannot be written.
        """
        sheet = target if sheet_only else target / "sheet.png"
        pictures = {} if sheet_only else picture_files(self.film.video, self.stills, self.painted)
        files = {sheet: self.sheet()} | {target / name: picture for name, picture in pictures.items()}
        try:
            sheet.parent.mkdir(parents=True, exist_ok=True)
            for path, picture in files.items():
                picture.save(path, "PNG")
        except OSError as error:
            raise CommandFailed(f"{target} cannot be written: {error.strerror}") from None
        return list(files)

    @property
    def speeds(self) -> dict[str, float]:
        """Return the seconds that each style takes per frame on this computer."""
        return {each.style: each.seconds for each in self.painted}

    def facts(self) -> dict[str, Any]:
        """Return what is known of the film, and the seconds that each style takes per frame on this computer."""
        video = self.film.video
        return {
            "width": video.width,
            "height": video.height,
            "seconds": self.film.seconds,
            "frames": self.film.frames,
            "stills": [still.seconds for still in self.stills],
            "seconds_per_frame": self.speeds,
        }
