"""Cases that put the clocks and the cuts of containers to the test: broadcasts, cameras, editors."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

from support.film import Film, Sound
from support.torture.case import Case
from support.torture.structure import MS, RATE

JUMPS = ("times jump at 1 places",)
Edits = tuple[tuple[int, int], ...]
"""Parts of a film: the length of each, and where it begins, in milliseconds."""


def _capture(offset: float, **changes: Any) -> Film:
    """A broadcast whose clock shows so many seconds at the beginning."""
    film: dict[str, Any] = {"sounds": (Sound("mp2"),), "muxer": {"output_ts_offset": f"{offset}"}, **RATE, **changes}
    return Film(**film)


def _joined(path: Path, *parts: Film) -> Path:
    """Captures that were put one after the other with ``cat``."""
    path.write_bytes(b"".join(part.write(path.with_name(f"part{path.suffix}")).read_bytes() for part in parts))
    return path


def edited(path: Path, video: Edits, sound: Edits, **changes: Any) -> Path:
    """An MP4 of which an editor shows parts: their lengths and beginnings in ms; a pause begins below zero."""
    film = Film(pts=range(0, 50 * 512, 512), sounds=(Sound(seconds=2.0),), gop=10, **changes)
    data = film.write(path).read_bytes()

    def rewritten(data: bytes, ticks: int) -> bytes:
        boxes, position = b"", 0
        while position < len(data):
            size, kind = struct.unpack_from(">I4s", data, position)
            body = data[position + 8 : position + size]
            position += size
            if kind == b"trak":
                ticks = 48000 if b"soun" in body else 12800
            if kind in (b"moov", b"trak", b"edts"):
                body = rewritten(body, ticks)
            elif kind == b"elst":
                start = struct.unpack_from(">i", body, 12)[0]
                edits = sound if ticks == 48000 else video
                parts = [(n, begin if begin < 0 else start + begin * ticks // 1000) for n, begin in edits]
                entries = b"".join(struct.pack(">Iii", length, begin, 1 << 16) for length, begin in parts)
                body = struct.pack(">II", 0, len(parts)) + entries
            boxes += struct.pack(">I4s", len(body) + 8, kind) + body
        return boxes

    path.write_bytes(rewritten(data, 0))
    return path


def _converted(codec: str, to: str) -> dict[str, Any]:
    """What a case says whose sound is converted."""
    return {
        "notes": (f"(audio, {codec}) is converted to {to}",),
        "lost": f"the sound's coding: it is {to.upper()}, at the same time and of the same length",
        "differs": ("tracks",),
    }


STEREO = (Sound("aac"),)
PS: dict[str, Any] = {"codec": "mpeg2video", "format": "vob"}
PARAMETERS = {"options": {"crf": "4", "preset": "medium", "bf": "2"}}
ONE_JUMP = "the jump: times go on as if there were none, as in players"
TWO: Edits = ((400, 200), (600, 1200))
CUT: Edits = ((400, 240), (560, 1200))
DV: dict[str, Any] = {
    "codec": "dvvideo",
    "size": (720, 576),
    "pixel_format": "yuv420p",
    "time_base": Fraction(1, 25),
    "pts": range(5),
    "sounds": (Sound("pcm_s16le", seconds=0.2),),
    "gop": 1,
    "options": {"flags": "+ildct"},
}
INTERLACED = {"notes": ("interlaced",), "lost": "interlacing: both fields are styled as one picture"}
NTSC: dict[str, Any] = {
    "rate": Fraction(30000, 1001),
    "time_base": Fraction(1, 30000),
    "pts": range(0, 24 * 1001, 1001),
    "timecode": "01:00:00;02",
}

PARTS = "an edit list puts sound together"
MEETING = "some milliseconds of sound where parts meet: what is before a part is not there to decode it"

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
    Case("AAC with headers (ADTS) in MPEG-TS", "obs.ts", _capture(0, sounds=(Sound("aac"), Sound("aac", "5.1")))),
    Case(
        "AAC that goes from stereo to 5.1, MPEG-TS",
        "switched.ts",
        lambda path: _joined(path, _capture(0, sounds=STEREO), _capture(1, sounds=(Sound("aac", "5.1"),))),
        refused="to convert it: framebrush submit switched.ts --convert-audio",
        lost="refused: other containers tell how to decode sound once; `--convert-audio` keeps it",
    ),
    Case(
        "AAC that goes from stereo to 5.1, MPEG-TS, `convert_audio`",
        "switched_converted.ts",
        lambda path: _joined(path, _capture(0, sounds=STEREO), _capture(1, sounds=(Sound("aac", "5.1"),))),
        options={"convert_audio": True},
        **{**_converted("aac", "aac"), "notes": ("is converted to aac", *JUMPS)},
    ),
    Case(
        "AAC that goes from 48,000 Hz to 44,100 Hz, MPEG-TS, `convert_audio`",
        "rates.ts",
        lambda path: _joined(path, _capture(0, sounds=STEREO), _capture(1, sounds=(Sound("aac", rate=44100),))),
        options={"convert_audio": True},
        **{**_converted("aac", "aac"), "notes": ("is converted to aac", *JUMPS)},
    ),
    Case("Blu-ray, MPEG-TS with 192-byte packets", "disc.m2ts", _capture(600, sounds=(Sound("ac3"),))),
    Case("FLV of a stream that was joined late", "live.flv", _capture(1000, sounds=(Sound("aac", rate=44100),))),
    Case("Windows Media", "clip.wmv", Film(**RATE, codec="wmv2", sounds=(Sound("wmav2"),), options={"b": "4M"})),
    Case("ADPCM in AVI", "adpcm.avi", Film(**RATE, codec="mpeg4", sounds=(Sound("adpcm_ms"),), options={"b": "4M"})),
    Case("3GP of an old phone", "phone.3gp", Film(codec="mpeg4", options={"b": "4M"}, sounds=(Sound("aac", "mono"),))),
    Case(
        "a second sound that no container carries (LATM)",
        "second.ts",
        _capture(0, sounds=(Sound("mp2"), Sound("aac")), muxer={"mpegts_flags": "latm"}),
        notes=("stream 2 (audio, aac_latm) is left out: --convert-audio keeps it",),
        lost="that sound",
        differs=("tracks",),
    ),
    Case(
        "a second sound that no container carries, `streams` is `strict`",
        "strict.ts",
        _capture(0, sounds=(Sound("mp2"), Sound("aac")), muxer={"mpegts_flags": "latm"}),
        options={"streams": "strict"},
        refused="cannot carry the input's audio stream 2 (aac_latm)",
        lost="refused when it is planned",
    ),
    Case(
        "the only sound is one that no container carries",
        "latm.ts",
        _capture(0, sounds=(Sound("aac"),), muxer={"mpegts_flags": "latm"}),
        refused="to convert it: framebrush submit latm.ts --convert-audio",
        lost="refused: a film does not lose its sound; `--convert-audio` keeps it in another codec",
    ),
    Case(
        "the only sound is one that no container carries, `convert_audio`",
        "converted.ts",
        _capture(0, sounds=(Sound("aac"),), muxer={"mpegts_flags": "latm"}),
        options={"convert_audio": True},
        **_converted("aac_latm", "aac"),
    ),
    Case(
        "sound of Blu-rays (PCM), `convert_audio`",
        "disc_pcm.m2ts",
        _capture(600, sounds=(Sound("pcm_bluray", "5.1(side)"),)),
        options={"convert_audio": True},
        **_converted("pcm_bluray", "aac"),
    ),
    Case(
        "sound of Blu-rays (PCM), `convert_audio`, lossless",
        "disc_lossless.m2ts",
        _capture(600, sounds=(Sound("pcm_bluray", "5.1(side)"),)),
        options={"convert_audio": True, "lossless": True, "crf": None},
        **_converted("pcm_bluray", "flac"),
    ),
    Case(
        "sound and a second sound that no container carries (LATM), `convert_audio`",
        "both.ts",
        _capture(0, sounds=(Sound("mp2"), Sound("aac")), muxer={"mpegts_flags": "latm"}),
        options={"convert_audio": True},
        **_converted("aac_latm", "aac"),
    ),
    Case("PCM in AVI", "pcm.avi", Film(**RATE, codec="mjpeg", pixel_format="yuvj420p", sounds=(Sound("pcm_s16le"),))),
    Case(
        "MPEG-2, PCM of 24 bits and timecode in MXF",
        "camera.mxf",
        Film(**RATE, codec="mpeg2video", sounds=(Sound("pcm_s24le", "mono"),), options={"b": "4M", "bf": "2"}),
    ),
    Case("DV", "tape.dv", Film(**DV), **INTERLACED),
    Case("DV in AVI", "tape.avi", Film(**DV), **INTERLACED),
    Case("DV in QuickTime", "tape.mov", Film(**DV), **INTERLACED),
    Case(
        "sound of 44,100 Hz 67 ms late, Matroska",
        "late.mkv",
        Film(**{**MS, "pts": range(0, 2000, 40)}, sounds=(Sound("ac3", rate=44100, start=0.067, seconds=2.0),)),
    ),
    Case(
        "edit list that cuts the middle out",
        "cut_out.mp4",
        lambda path: edited(path, CUT, CUT, options={"bf": "0"}),
        notes=(PARTS,),
        lost=MEETING,
    ),
    Case(
        "edit list that cuts between frames which refer to each other",
        "overlaps.mp4",
        lambda path: edited(path, CUT, CUT),
        refused="parts of the video overlap at 0.320 s",
        lost="refused: FFmpeg shows some frames twice; write the parts out (`ffmpeg -i film.mp4 whole.mp4`)",
    ),
    Case(
        "edit list whose second part begins a frame early in FFmpeg",
        "early.mp4",
        lambda path: edited(path, TWO, TWO, options={"preset": "fast"}),
        notes=(PARTS, "1 frames share their time with the frame before, as its edit list cuts between"),
        lost="the frame where the parts meet: it comes a tick after the one before; there some milliseconds of sound",
    ),
    Case(
        "edit list that swaps two parts",
        "swapped.mp4",
        lambda path: edited(path, CUT[::-1], CUT[::-1]),
        notes=(PARTS,),
        lost=MEETING,
    ),
    Case("timecode, MP4", "timecode.mp4", Film(timecode="01:02:03:04")),
    Case("timecode that drops frames, QuickTime", "drop.mov", Film(**NTSC)),
    Case("timecode, Matroska", "timecode.mkv", Film(**MS, timecode="10:00:00:00")),
)
