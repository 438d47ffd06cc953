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


def _capture(offset: float, **changes: Any) -> Film:
    """A broadcast whose clock shows so many seconds at the beginning."""
    film: dict[str, Any] = {"sounds": (Sound("mp2"),), "muxer": {"output_ts_offset": f"{offset}"}, **RATE, **changes}
    return Film(**film)


def _joined(path: Path, *parts: Film) -> Path:
    """Captures that were put one after the other with ``cat``."""
    path.write_bytes(b"".join(part.write(path.with_name(f"part{path.suffix}")).read_bytes() for part in parts))
    return path


PS: dict[str, Any] = {"codec": "mpeg2video", "format": "vob"}
PARAMETERS = {"options": {"crf": "4", "preset": "medium", "bf": "2"}}
JUMPS = ("times jump at 1 places",)
ONE_JUMP = "the jump: times go on as if there were none, as in players"
NTSC = Film(rate=Fraction(30000, 1001), time_base=Fraction(1, 30000), pts=range(0, 24 * 1001, 1001))

CONTAINERS = (
    Case("MPEG-TS, times counted from 50,000 s", "far.ts", _capture(50000), segments=2),
    Case("MPEG-TS whose clock wraps (2³³)", "wrap.ts", _capture(95442.3), segments=2),
    Case(
        "MPEG-PS, times counted from 50,000 s", "far.vob", _capture(50000, codec="mpeg2video", format="vob"), segments=2
    ),
    Case(
        "two MPEG-TS, put together, times jump back",
        "back.ts",
        lambda path: _joined(path, _capture(100), _capture(0)),
        segments=4,
        notes=JUMPS,
        lost=ONE_JUMP,
    ),
    Case(
        "two MPEG-TS, put together, times jump forward",
        "forward.ts",
        lambda path: _joined(path, _capture(0), _capture(100)),
        segments=4,
        notes=JUMPS,
        lost=ONE_JUMP,
    ),
    Case(
        "two MPEG-TS, put together, times overlap, other parameter sets",
        "overlap.ts",
        lambda path: _joined(path, _capture(0), _capture(0.98, **PARAMETERS)),
        segments=3,
        notes=JUMPS,
        lost=ONE_JUMP,
    ),
    Case(
        "sound and video begin at negative times, MP4",
        "below.mp4",
        Film(options={"bf": "0"}, muxer={"avoid_negative_ts": "disabled", "output_ts_offset": "-0.2"}),
    ),
    Case("timecode, MP4", "timecode.mp4", lambda path: _timecode(path, "01:02:03:04", Film())),
    Case("timecode that drops frames, QuickTime", "drop.mov", lambda path: _timecode(path, "01:00:00;02", NTSC)),
    Case("timecode, Matroska", "timecode.mkv", lambda path: _timecode(path, "10:00:00:00", Film(**MS))),
)
