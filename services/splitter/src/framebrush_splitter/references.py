"""Films of QuickTime whose pictures are in other files (QuickTime File Format, "Data References")."""

from collections.abc import Iterator
from typing import Any

from framebrush.media import boxes_in, inside

MOVIES = (b"moov", b"rmra", b"rmda", b"rdrf")
"""Where a reference movie names each of the films of which it lets a player choose one."""
DATA = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
"""Where a track names the files that its data is in."""
BEGINNINGS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""The boxes with which a film of MP4 or QuickTime may begin."""
IN_THIS_FILE = 1
MOST, ALIAS = 2**12, 50
"""The most bytes of a name that are looked at, and where an alias of the Macintosh has it."""


def referred_files(file: Any) -> list[str]:
    """Return the names of the other files that a film refers to, each once; none if it is not MP4 or QuickTime."""
    file.seek(0)
    if bytes(file.read(8))[4:] not in BEGINNINGS:
        return []
    return list(dict.fromkeys(filter(None, (*_movies(file), *_data(file)))))


def _movies(file: Any) -> Iterator[str]:
    for place, end in inside(file, MOVIES, 0, file.seek(0, 2)):
        file.seek(place + 8)
        content = bytes(file.read(min(end - place - 8, MOST)))
        yield _name(content[4:8], content[12:])


def _data(file: Any) -> Iterator[str]:
    for place, end in inside(file, DATA, 0, file.seek(0, 2)):
        for kind, at, last in boxes_in(file, place + 16, end):
            file.seek(at + 8)
            content = bytes(file.read(min(last - at - 8, MOST)))
            if not content[3:4] or content[3] & IN_THIS_FILE:
                continue
            yield _name(kind, content[4:])


def _name(kind: bytes, content: bytes) -> str:
    if kind == b"alis" and len(content) > ALIAS:
        content = content[ALIAS + 1 :][: content[ALIAS]]
    return content.split(b"\0", 1)[0].decode("utf-8", "replace").removeprefix("file://")
