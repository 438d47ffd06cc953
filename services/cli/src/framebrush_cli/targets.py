"""What ``-o`` names: a file to write, or a folder to write into."""

import os
import tempfile
from pathlib import Path

from framebrush_cli.errors import CommandFailed


def is_folder(named: str) -> bool:
    """Return whether a folder is meant: one that is there, or a name that ends in a slash, which is to be made."""
    return named.endswith(("/", os.sep)) or Path(named).is_dir()


def check_folder(folder: Path, option: str = "-o") -> None:
    """Refuse a folder that cannot be made or written into, before any work is done for it.

    Args:
        folder: The folder, which need not exist.
        option: What names it.

    Raises:
        CommandFailed: The folder, or what it would be made in, is a file, is closed to us, or is full.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    shown = folder if folder.exists() else there
    if not there.is_dir():
        raise CommandFailed(f"{shown} is a file, and no folder: {option} names another place")
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".framebrush-"):
            pass
    except OSError as error:
        raise CommandFailed(f"{shown} cannot be written to: {error.strerror}; {option} names another place") from None
