"""Cases of raw streams: nothing but the coded frames, one after the other."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from support.film import Film
from support.torture.case import Case
from support.torture.paff import paff
from support.torture.structure import X264_OPEN, X265

NTSC: dict[str, Any] = {
    "sounds": (),
    "rate": Fraction(24000, 1001),
    "time_base": Fraction(1001, 24000),
    "pts": tuple(range(24)),
}
PLACE = "parallel decoding: a frame's time follows from its place among all"
TOLD = "23.976 frames/s, as its pictures tell"
ASSUMED = "25 frames/s, as nothing tells; to set another rate: ffmpeg -framerate 50 -i "


def unwrapped(path: Path, make: Callable[[Path], Path], *, skip: int = 0) -> Path:
    """The packets of a transport stream, from one of them on."""
    plain = make(path.with_name("plain.ts"))
    with av.open(str(plain)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)]
    path.write_bytes(b"".join(packets[skip:]))
    return path


RAW = (
    Case("raw H.264", "raw.h264", Film(format="h264", **NTSC), notes=(TOLD, "decoding cannot begin"), lost=PLACE),
    Case(
        "raw HEVC with leading pictures",
        "raw.hevc",
        Film(codec="libx265", format="hevc", options=X265, **NTSC),
        notes=(TOLD, "decoding cannot begin"),
        lost=PLACE,
    ),
    Case(
        "raw H.264, whose fields have packets of their own (PAFF)",
        "raw_paff.h264",
        partial(unwrapped, make=paff),
        options={"pixel_format": "yuv444p"},
        notes=("50 frames/s", "interlaced", "decoding cannot begin"),
        lost=f"{PLACE}; and interlacing",
    ),
    Case(
        "raw H.264 that begins in the middle of a group of pictures",
        "raw_inside.h264",
        partial(unwrapped, make=Film(format="mpegts", options=X264_OPEN, **NTSC).write, skip=3),
        refused="the raw stream begins in the middle of a group of pictures",
        lost="refused: it does not tell when its frames are shown (`ffmpeg -i film.h264 -c:v libx264 whole.mp4`)",
    ),
    Case(
        "raw MPEG-2 with B-frames",
        "raw.m2v",
        Film(codec="mpeg2video", format="mpeg2video", options={"bf": "2", "b": "4M"}, **NTSC),
        segments=2,
    ),
    Case(
        "raw MPEG-4",
        "raw.m4v",
        Film(codec="mpeg4", format="m4v", options={"bf": "2", "b": "4M"}, **NTSC),
        segments=2,
    ),
    Case(
        "raw MJPEG",
        "raw.mjpeg",
        Film(codec="mjpeg", format="mjpeg", pixel_format="yuvj420p", options={"qmin": "1"}, **NTSC),
        segments=2,
        notes=(ASSUMED,),
        lost="the frame rate: no stream tells it, and players assume 25 frames/s",
    ),
    Case(
        "raw AV1",
        "raw.obu",
        Film(codec="libsvtav1", format="obu", options={"preset": "12", "crf": "10", "svtav1-params": "lp=1"}, **NTSC),
        segments=2,
        notes=(ASSUMED,),
        lost="the frame rate: FFmpeg does not read it, and players assume 25 frames/s",
    ),
)
