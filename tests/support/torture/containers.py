"""Cases that put the clocks and the cuts of containers to the test: broadcasts, cameras, editors."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from support.film import Film, Sound
from support.torture.case import Case
from support.torture.structure import MS, RATE


def _timecode(path: Path, code: str, film: Film) -> Path:
    """A film whose first frame has a timecode, as cameras and editors write it."""
    plain = film.write(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        streams = [target.add_stream_from_template(s, opaque=True) for s in source.streams]
        video: Any = streams[0]
        video.time_base, video.codec_context.framerate = film.time_base, film.rate
        video.metadata["timecode"] = code
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return path


NTSC = Film(rate=Fraction(30000, 1001), time_base=Fraction(1, 30000), pts=range(0, 24 * 1001, 1001))

CONTAINERS = (
    Case("timecode, MP4", "timecode.mp4", lambda path: _timecode(path, "01:02:03:04", Film())),
    Case("timecode that drops frames, QuickTime", "drop.mov", lambda path: _timecode(path, "01:00:00;02", NTSC)),
    Case("timecode, Matroska", "timecode.mkv", lambda path: _timecode(path, "10:00:00:00", Film(**MS))),
)
