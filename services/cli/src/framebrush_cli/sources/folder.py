"""A folder of pictures as a film without loss."""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress

from framebrush.errors import InvalidVideo
from framebrush.pictures import InvalidPicture, decode_whole, whole_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush_cli.display import err
from framebrush_cli.errors import CommandFailed
from framebrush_cli.sources.local import LocalFile

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
MOST_PIXELS = 7680 * 4320
"""The pixels of a picture at most, as those of a film's frame."""
REPEATABLE = {"fflags": "+bitexact"}
"""What keeps the muxer from writing numbers that differ from time to time."""
ALLOWANCE = Allowance(60.0, "MAX_FRAME_TIME", "decoding a picture")


def pictures_of(folder: Path) -> list[Path]:
    """Return the pictures of a folder in the order in which people count: ``2.png`` comes before ``10.png``.

    Raises:
        CommandFailed: There is none.
    """
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    if not found:
        raise CommandFailed(f"{folder} has no pictures: {', '.join(SUFFIXES)}")
    return sorted(found, key=_natural)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], path.name


def write_film(pictures: Sequence[Path], film: Path, rate: Fraction) -> None:
    """Write a film of pictures: FFV1 in Matroska, in RGB, each picture a frame, bit by bit.

    Args:
        pictures: The files, at least one.
        film: The file to write.
        rate: The pictures per second.

    Raises:
        CommandFailed: They have not all the same size; the text names the first that differs.
        InvalidPicture: One cannot be read.
        LimitExceeded: One is too large.
    """
    sandbox, transparent = Sandbox(modules=["framebrush.pictures.whole"]), None
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with (
        av.open(str(film), "w", options=REPEATABLE) as container,
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress,
    ):
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.pix_fmt, stream.codec_context.gop_size, stream.codec_context.options = "bgr0", 1, {"level": "3"}
        stream.codec_context.time_base = stream.time_base = 1 / rate
        size: tuple[int, int] | None = None
        for number, path in enumerate(progress.track(pictures, description="pictures")):
            with LocalFile(path) as file:
                try:
                    [item] = sandbox.run(ALLOWANCE, file, decode_whole, MOST_PIXELS)
                except InvalidVideo as error:  # The process crashed; that is how it is said of a film.
                    raise InvalidPicture(str(error)) from error
            picture = whole_of(item)
            height, width = picture.pixels.shape[:2]
            size = size or (width, height)
            if size != (width, height):
                raise CommandFailed(
                    f"{path.name} has {width}x{height} pixels, and {pictures[0].name} has {size[0]}x{size[1]}: "
                    "the pictures of a film have one size"
                )
            transparent = transparent or (path.name if picture.transparent else None)
            if number == 0:
                stream.width, stream.height = size
            frame = av.VideoFrame.from_ndarray(picture.pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sandbox.close()
    if transparent:
        err.print(f"[dim]note:[/] {escape(transparent)} has transparent pixels, which are painted on white")
