"""Edit lists of MP4 and QuickTime (ISO/IEC 14496-12, 8.6.6), of which FFmpeg plays nearly all as they are meant."""

import struct
from typing import Any

from framebrush.media import inside

LISTS = (b"moov", b"trak", b"edts", b"elst")
ENTRIES = {0: struct.Struct(">Iii"), 1: struct.Struct(">Qqi")}
"""The layout of an edit by the version of its box: its length, the time in the media, and the rate."""
MOST = 2**16
"""The most bytes of a list that are looked at."""


def has_late_pause(file: Any) -> bool:
    """Return whether a track pauses after its beginning: FFmpeg goes on there with what the list cuts out.

    Args:
        file: The film, of MP4 or QuickTime.
    """
    for place, end in inside(file, LISTS, 0, file.seek(0, 2)):
        file.seek(place + 8)
        box = file.read(min(end - place - 8, MOST))
        layout = ENTRIES.get(box[0] if box else -1)
        if layout is None:
            continue
        whole = (len(box) - 8) // layout.size * layout.size
        times = [time for _, time, _ in layout.iter_unpack(box[8 : 8 + max(0, whole)])]
        if -1 in times[1:]:
            return True
    return False
