"""Styles of the library, as files of this machine."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from framebrush.contracts import PICTURE, LibraryStyle
from framebrush.pictures import PictureSettings
from framebrush.styles import NAME, OURS, SHIPPED, SUFFIXES, Library, known_models, unknown
from framebrush_cli.errors import CommandFailed, NotInstalled

MOST_PREVIEW = 20 * 10**6
"""The largest preview that is uploaded, in bytes."""


class StudioSettings(PictureSettings):
    """Where this computer has styles beside those that come with the scorer."""

    styles: Path | None = None
    """The folder of further styles, as the scorer's setting of this name."""


def check_styles(names: Iterable[str], library: Library | None, styles: Path | None = None) -> None:
    """Check that all of these styles can be painted on this computer.

    Args:
        names: The styles.
        library: The library of the installation, if there is one.
        styles: The folder of further styles; by default that of the settings.

    Raises:
        UnknownModel: There is no such style; the text says which names are near.
    """
    ours = {*known_models(styles or StudioSettings().styles), *(library.names() if library else ())}
    for name in names:
        if name not in ours:
            raise unknown(name, ours - {PICTURE})


def check_name(name: str) -> str:
    """Return a name that a style of the library may have.

    Raises:
        CommandFailed: It may not.
    """
    if not NAME.fullmatch(name):
        raise CommandFailed(f"{name[:80]!r} is no name for a style: letters, digits, '.', '_' and '-', 64 at most")
    if name in OURS and name not in SHIPPED:
        raise CommandFailed(f"{name} is a model that comes with framebrush: choose another name with --name")
    return name


def read_style(path: Path, name: str, title: str | None) -> tuple[LibraryStyle, bytes, bytes | None]:
    """Read a style from a file of weights, with the card and the preview beside it if they are there.

    Returns:
        The entry of the library, the weights, and the preview.

    Raises:
        CommandFailed: There is no such file, or the scorer is not installed here.
        InvalidWeights: The file is damaged or holds no style network.
    """
    if path.suffix not in SUFFIXES or not path.is_file():
        raise CommandFailed(f"{path}: no such file with weights, {' or '.join(SUFFIXES)}")
    if find_spec("framebrush_scorer") is None:
        raise NotInstalled("to look into weights needs the scorer", "scorer")
    from framebrush_scorer.networks import pack_network  # It imports torch.

    weights, card = pack_network(path, title or name)
    picture = path.with_suffix(".png")
    small = picture.is_file() and picture.stat().st_size <= MOST_PREVIEW
    preview = picture.read_bytes() if small else None
    style = LibraryStyle(
        name=name, digest=hashlib.sha256(weights).hexdigest(), size=len(weights), added=datetime.now(UTC),
        title=title or card.title, natural_edge=card.natural_edge, strokes=card.strokes,
        preview=preview is not None, card=card.model_dump_json(),
    )  # fmt: skip
    return style, weights, preview
