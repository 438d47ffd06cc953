"""What ``framebrush style`` writes: a file or a folder for each style."""

from pathlib import Path
from typing import Any

from framebrush.contracts import CONTAINERS, FORMATS, Encoding, Options
from framebrush_cli.errors import CommandFailed
from framebrush_cli.targets import check_folder, is_folder


def without_loss(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a run whose output is to become pictures.

    Raises:
        CommandFailed: One of them is about the encoding of a film.
    """
    if encoding := sorted(options.keys() & Encoding.model_fields.keys()):
        raise CommandFailed(f"{encoding[0]} is about the encoding of a film, and the output is a folder of pictures")
    return {"pack_codec": "png"} | options | {"codec": "ffv1", "lossless": True}


def folders_of(output: Path, options: Options) -> list[Path]:
    """Return the folder of pictures of each style: the one that was named, or with several styles one in it for each.

    Raises:
        CommandFailed: It cannot be made.
    """
    check_folder(output)
    styles = options.models
    return [output / name for name in styles] if styles[1:] else [output]


def files_of(film: str, output: str, options: Options) -> list[Path]:
    """Return the file of each style.

    Raises:
        CommandFailed: One of them cannot be written, or cannot be encoded with the options.
    """
    wanted, styles = Path(output), options.models
    if is_folder(output):
        check_folder(wanted)
        suffix = CONTAINERS[options.codec][0]
        targets = [wanted / f"{Path(film).stem}.{name}{suffix}" for name in styles]
    else:
        suffix = wanted.suffix
        if suffix.lower() not in FORMATS:
            raise CommandFailed(f"{wanted} must end in one of: {', '.join(FORMATS)}; or in / for a folder")
        targets = [wanted.with_name(f"{wanted.stem}.{name}{suffix}") for name in styles] if styles[1:] else [wanted]
        if not wanted.parent.is_dir():
            raise CommandFailed(f"{wanted.parent}: there is no such folder; a name that ends in / is made")
        check_folder(wanted.parent)
    if problem := options.unsuited(suffix.lower()):
        raise CommandFailed(f"{targets[0]}: {problem}")
    return targets
