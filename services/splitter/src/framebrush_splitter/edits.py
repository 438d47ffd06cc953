"""Edit lists of MP4 and QuickTime (ISO/IEC 14496-12, 8.6.6), of which FFmpeg plays nearly all as they are meant."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from framebrush.media import inside

TRACKS, LISTS, HANDLERS = (b"moov", b"trak"), (b"edts", b"elst"), (b"mdia", b"hdlr")
ENTRIES = {0: struct.Struct(">Iii"), 1: struct.Struct(">Qqi")}
"""The layout of an edit by the version of its box: its length, the time in the media, and the rate."""
PAUSE, NORMAL = -1, 1 << 16
"""The time in the media where nothing is shown, and the rate at which it passes as it was taken."""
MOST = 2**16
"""The most bytes of a list that are looked at."""
WHOLE = "to write all frames without edits: ffmpeg -ignore_editlist 1 -i {name} -c copy whole.mp4"
LATE_PAUSE = (
    f"an edit list has a pause after its beginning, in which FFmpeg shows frames that the list cuts out; {WHOLE}"
)
STILL = f"an edit list lets a picture stand still, where FFmpeg shows what follows it; {WHOLE}"
SPEED = f"an edit list plays a part at another speed, which FFmpeg and most players do not; {WHOLE}"
PARTS = (
    "an edit list puts sound together: where parts meet, some milliseconds differ, as what is before them is cut out"
)


@dataclass(frozen=True, slots=True)
class EditedTrack:
    """A track that has an edit list."""

    handler: bytes
    """What kind it is of: ``vide``, ``soun`` or another; empty if it has one edit only."""
    edits: tuple[tuple[int, int, int], ...]
    """The length, the time in the media and the rate of each edit."""


def edit_notes(tracks: Sequence[EditedTrack], name: str, *, coded_sound: bool) -> Iterator[str]:
    """Yield one line for each thing that FFmpeg plays otherwise than edit lists tell it.

    Args:
        tracks: What :func:`edited_tracks` gives.
        name: The film's name, for commands.
        coded_sound: Whether sound is copied of which a packet sounds otherwise without the one before.
    """
    edits = [edit for track in tracks for edit in track.edits if edit[1] != PAUSE]
    if any(time == PAUSE for track in tracks for _, time, _ in track.edits[1:]):
        yield LATE_PAUSE.format(name=name)
    if any(not rate for _, _, rate in edits):
        yield STILL.format(name=name)
    if any(rate not in (0, NORMAL) for _, _, rate in edits):
        yield SPEED.format(name=name)
    if coded_sound and any(_parts(track) > 1 for track in tracks if track.handler == b"soun"):
        yield PARTS


def _parts(track: EditedTrack) -> int:
    return sum(time != PAUSE for _, time, _ in track.edits)


def edited_tracks(file: Any) -> Iterator[EditedTrack]:
    """Yield the tracks of a film of MP4 or QuickTime that have edits. This is cheap just after it was opened."""
    for place, end in inside(file, TRACKS, 0, file.seek(0, 2)):
        edits = [edit for box in _contents(file, LISTS, place + 8, end) for edit in _edits(box)]
        if edits:
            handler = next(_contents(file, HANDLERS, place + 8, end), b"")[8:12] if len(edits) > 1 else b""
            yield EditedTrack(handler, tuple(edits))


def _contents(file: Any, path: tuple[bytes, ...], begin: int, end: int) -> Iterator[bytes]:
    for place, last in inside(file, path, begin, end):
        file.seek(place + 8)
        yield bytes(file.read(min(last - place - 8, MOST)))


def _edits(box: bytes) -> Iterator[tuple[int, int, int]]:
    layout = ENTRIES.get(box[0] if box else -1)
    if layout is not None:
        whole = (len(box) - 8) // layout.size * layout.size
        yield from layout.iter_unpack(box[8 : 8 + max(0, whole)])
