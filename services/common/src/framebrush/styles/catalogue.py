"""The names of models: those that come with framebrush, and those that an installation adds."""

import difflib
import re
from collections.abc import Collection, Iterable
from importlib.metadata import entry_points
from pathlib import Path

from framebrush.contracts import PICTURE
from framebrush.styles.errors import UnknownModel

GROUP = "framebrush.models"
"""The entry-point group of models from other packages."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a model can be called. Names become file names."""

SUFFIXES = (".safetensors", ".pth")
"""The suffixes of files with weights."""

BUILT_IN = ("identity", "ink", "mosaic", "oil", "vangogh", "woodcut")
"""The models that are code. ``identity`` gives frames back as they are; the others are painters."""

SHIPPED = (
    "comic", "crimson", "gouache", "night", "pastel", "pencil", "poster", "scream", "shipwreck", "starry", "wave",
    "woodblock",
)  # fmt: skip
"""The learned styles that come with the scorer."""

OURS = (*BUILT_IN, *SHIPPED, PICTURE)
"""All models that come with framebrush."""

UNSEEN = ("identity", PICTURE)
"""Those of them that look like what they are given: the frame, or a picture."""

PREVIEWS = Path(__file__).parent / "previews"
"""What the others make of a photograph (the cat Chelsea by Stéfan van der Walt, CC0), by tests/tools/gallery.py."""

LISTED = 30
"""The most names that an error lists."""


def find_styles(folder: Path | None) -> dict[str, Path]:
    """Return the weights files in a folder by the names of their styles; without a folder there are none.

    Of two files with the same name the ``.safetensors`` is taken.

    Names come from listing the folder, never from a request, so that no request can name a path.
    """
    if folder is None or not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if path.suffix in SUFFIXES and NAME.fullmatch(path.stem)]
    return {path.stem: path for path in sorted(files, key=lambda path: path.suffix != ".pth")}


def known_models(styles: Path | None = None) -> tuple[str, ...]:
    """Return the names of all models that a scorer in this environment has, sorted.

    Args:
        styles: The folder of the user's styles.
    """
    plugged = {entry.name for entry in entry_points(group=GROUP)}
    return tuple(sorted({*OURS, *plugged, *find_styles(styles)}))


def shipped_preview(name: str) -> bytes | None:
    """Return what a model that comes with framebrush makes of a photograph, a JPEG file of 160x90; None for others."""
    return PREVIEWS.joinpath(f"{name}.jpg").read_bytes() if name in OURS and name not in UNSEEN else None


def unknown(name: str, names: Collection[str]) -> UnknownModel:
    """Return the error that there is no model of a name. It tells which names are near, and which there are."""
    near = nearest(name, names)
    guess = f": did you mean {' or '.join(near)}?" if near else ";"
    others = sorted(names)
    more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
    return UnknownModel(f"unknown model {name[:64]!r}{guess} there are: {', '.join(others[:LISTED])}{more}")


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are most like another, at most three, whatever their case."""
    lower = {each.lower(): each for each in names}
    return [lower[each] for each in difflib.get_close_matches(name[:64].lower(), lower, 3, 0.6)]
