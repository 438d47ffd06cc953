"""Ordered editions of Matroska (RFC 9559, section 20.1), which FFmpeg does not follow as players do."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

from av.container import InputContainer

from framebrush.errors import InvalidVideo
from framebrush.media import child, elements, quoted

MATROSKA = "matroska,webm"
SEGMENT, SEEK_HEAD, SEEK, SEEK_NAME, SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
CHAPTERS, EDITION, DEFAULT, ORDERED = 0x1043A770, 0x45B9, 0x45DB, 0x45DD
ATOM, START, END, OTHER_FILE = 0xB6, 0x91, 0x92, 0x6E67
"""The identifiers of elements (RFC 9559, section 5.1)."""
HEAD, MOST = 2**16, 2**20
"""The bytes at the beginning of a file that tell where its chapters are, and the most that they may be."""
SLACK = Fraction(1, 10)
"""The seconds by which parts may be off each other, or off the ends of the film."""


def refuse_ordered(file: Any, container: InputContainer) -> None:
    """Refuse a film whose default edition shows its parts in an order of its own, leaves some out or takes other files.

    Args:
        file: The film. It is left where it was.
        container: The film, opened.

    Raises:
        InvalidVideo: It is so; the text says how to write what players show.
    """
    if container.format.name != MATROSKA or not container.chapters():
        return
    seconds, place = Fraction(container.duration or 0, 1_000_000), file.tell()
    chapters = _chapters(file)
    file.seek(place)  # FFmpeg goes on there.
    editions = [dict(elements(data)) | {0: data} for name, data in elements(chapters) if name == EDITION]
    chosen = next((each for each in editions if any(each.get(DEFAULT, b""))), editions[0] if editions else {})
    if not any(chosen.get(ORDERED, b"")) or _is_whole(chosen[0], seconds):
        return
    raise InvalidVideo(
        "an ordered edition shows parts of this film, or of other files, in an order of its own, which FFmpeg does not "
        f"follow; to write what players show: mpv {quoted(container.name)} --o=whole.mkv"
    )


def _is_whole(edition: bytes, seconds: Fraction) -> bool:
    """Return whether an edition shows the whole film from its beginning to its end."""
    atoms = [dict(elements(data)) for name, data in elements(edition) if name == ATOM]
    parts = [(_seconds(atom.get(START, b"")), _seconds(atom[END])) for atom in atoms if END in atom]
    if len(parts) < len(atoms) or any(OTHER_FILE in atom for atom in atoms):
        return False
    meets = all(abs(one[1] - two[0]) <= SLACK for one, two in pairwise(parts))
    return bool(parts) and meets and parts[0][0] <= SLACK and parts[-1][1] >= seconds - SLACK


def _seconds(nanoseconds: bytes) -> Fraction:
    return Fraction(int.from_bytes(nanoseconds, "big"), 10**9)


def _chapters(file: Any) -> bytes:
    """Return the content of the element Chapters, empty if it cannot be found."""
    file.seek(0)
    head = bytes(file.read(HEAD))
    segment = child(head, SEGMENT)
    if found := child(segment, CHAPTERS):
        return found
    begin = len(head) - len(segment)
    for place in _places(child(segment, SEEK_HEAD)):
        file.seek(begin + place)
        return child(bytes(file.read(MOST)), CHAPTERS)
    return b""


def _places(seek_head: bytes) -> Iterator[int]:
    """Yield where the chapters are in the segment."""
    for name, data in elements(seek_head):
        entry = dict(elements(data)) if name == SEEK else {}
        if int.from_bytes(entry.get(SEEK_NAME, b""), "big") == CHAPTERS:
            yield int.from_bytes(entry.get(SEEK_POSITION, b""), "big")
