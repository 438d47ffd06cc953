"""Which tracks of MP4 and QuickTime are switched off. It needs the extra ``framebrush[video]``.

Players show no text and play no sound that is switched off, until somebody chooses it. FFmpeg's muxer switches on the
first track of each kind if all are off, so that the flag is cleared in the file that it has written.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from av.stream import Disposition, Stream

from framebrush.media.boxes import inside
from framebrush.media.tracks import COPIED, is_picture

SWITCHED = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the formats whose tracks can be switched off: it calls those default that are on."""
WRITTEN = ("mp4", "mov")
HEADERS = (b"moov", b"trak", b"tkhd")
FLAGS = 11
"""Where in a ``tkhd`` box the byte is whose last bit switches the track on (ISO/IEC 14496-12, 8.3.2)."""


def switched_off(streams: Sequence[Stream], copies: Mapping[int, Stream]) -> list[int]:
    """Return the numbers of the output's tracks that are to be off, though the muxer switches them on.

    Args:
        streams: All streams of the input.
        copies: The output's streams but its video, by the index of the input's.
    """
    if not streams or streams[0].container.format.name != SWITCHED:
        return []
    off = [
        kind
        for kind in COPIED
        if not any(s.type == kind and s.disposition & Disposition.default for s in streams if s.index in copies)
    ]
    return [
        copy.index - sum(is_picture(other) and other.index < copy.index for other in copies.values())
        for index, copy in copies.items()
        if streams[index].type in off
    ]


def switch_off(output: Any, tracks: Sequence[int]) -> None:
    """Switch tracks of a file, or its path, off by their numbers."""
    with _opened(output) as file:
        for number, (place, _) in enumerate(list(inside(file, HEADERS, 0, file.seek(0, 2)))):
            if number in tracks:
                file.seek(place + FLAGS)
                flags = file.read(1)[0]
                file.seek(place + FLAGS)
                file.write(bytes([flags & ~1]))


@contextmanager
def _opened(output: Any) -> Iterator[Any]:
    if not isinstance(output, str):
        yield output
        return
    with Path(output).open("r+b") as file:
        yield file
