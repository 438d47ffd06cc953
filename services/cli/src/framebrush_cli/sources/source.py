"""Makes a film file of what a person names."""

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from framebrush_cli.errors import CommandFailed, NotInstalled
from framebrush_cli.transfers import Watcher

RATE = Fraction(25)
"""The pictures per second of a folder, if nothing is said."""
MOST_RATE = 1000
"""The largest rate, in pictures per second."""


@dataclass(frozen=True, slots=True)
class Source:
    """A film that was named."""

    name: str
    """A file of this computer, or what was named if it is neither of this computer nor on the web."""
    facts: tuple[object, ...] = ()
    """What tells it from another film, as JSON: empty if it is no file of this computer."""
    pictures: Sequence[Path] = ()
    """The pictures that it was made of, in their order."""


@contextmanager
def opened_source(
    named: str, rate: str | None = None, *, folder: Path | None = None, watcher: Watcher | None = None
) -> Iterator[Source]:
    """Make a film of a folder of pictures, or download one; anything else stays what it is.

    Args:
        named: A file, a folder of pictures, an address on the web, or the name of a blob.
        rate: The pictures per second of a folder, such as ``25``, ``29.97`` or ``24000/1001``; by default 25.
        folder: Where a folder for what is made is made; by default where the system has its temporary files.
        watcher: Is told how far a download is; by default the terminal is.

    Yields:
        The film. What was made for it is deleted afterwards.

    Raises:
        CommandFailed: It cannot be used; the text says why.
        InvalidPicture: A picture of the folder cannot be read.
        LimitExceeded: What is on the web is too large, or takes too long.
    """
    path, name = Path(named), file_name(named)
    if path.is_dir():
        if not (find_spec("PIL") and find_spec("av")):
            raise NotInstalled("a folder of pictures needs more packages", "cli[preview]")
        from framebrush_cli.sources.folder import pictures_of, write_film

        pictures, speed = pictures_of(path), _rate(rate)
        told = [[each.name, each.stat().st_size, each.stat().st_mtime_ns] for each in pictures]
        with _room(folder) as room:
            film = room / name
            write_film(pictures, film, speed)
            yield Source(str(film), (str(path.resolve()), told, str(speed)), pictures)
        return
    if rate is not None:
        raise CommandFailed(f"--rate is the speed of a folder of pictures, and {named} is none")
    if is_address(named):
        from framebrush_cli.sources.web import download  # It takes a quarter of a second to import.

        with _room(folder) as room:
            path = download(named, room, watcher)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield Source(str(path), (path.name, digest))
    elif path.is_file():
        facts = path.stat()
        yield Source(named, (str(path.resolve()), facts.st_size, facts.st_mtime_ns))
    else:
        yield Source(named)


@contextmanager
def _room(folder: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="framebrush-", dir=folder, ignore_cleanup_errors=True) as room:
        yield Path(room)


def file_name(named: str) -> str:
    """Return the name of the film's file: the last part of what was named, with ``.mkv`` for a folder.

    Raises:
        CommandFailed: The name is empty.
    """
    if not named:
        raise CommandFailed("the name of the film is empty")
    if is_address(named):
        return url_name(named)
    path = Path(named)
    return f"{path.resolve().name or 'pictures'}.mkv" if path.is_dir() else PurePath(named).name


def is_address(named: str) -> bool:
    """Return whether an address on the web is named, and no file."""
    return re.match(r"[a-z][a-z0-9+.-]*://", named, re.IGNORECASE) is not None


def url_name(url: str) -> str:
    """Return the last part of an address as the name of a file."""
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:
        return "film"
    plain = re.sub(r"[^\w .()+-]", "_", name).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return f"{stem[:100]}.{suffix[:10]}" if dot and stem else plain[:100] or "film"


def _rate(text: str | None) -> Fraction:
    if text is None:
        return RATE
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= MOST_RATE:
        raise CommandFailed(f"--rate {text}: expected pictures per second, such as 25, 29.97 or 24000/1001")
    return rate.limit_denominator(1001)
