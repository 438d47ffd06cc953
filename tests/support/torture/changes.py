"""Cases of films whose properties change in the middle, or are told twice."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from support.film import Film, Sound
from support.torture.case import Case
from support.torture.containers import edited
from support.torture.structure import MS, RATE, together

SIZE = (64, 64)
OPTIONS = {"libx264": {"crf": "4"}, "mpeg2video": {"b": "4M"}}
TITLE = b"AAAAAAAA"


def changed(path: Path, codec: str, *parts: dict[str, Any]) -> Path:
    """A broadcast of parts that were encoded otherwise.

    Args:
        path: The file.
        codec: FFmpeg's name of the encoder.
        parts: What each part sets of its encoder.
    """
    with av.open(str(path), "w", format="mpegts") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, settings in enumerate(parts):
            encoder: Any = av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = *SIZE, "yuv420p"
            encoder.time_base, encoder.framerate, encoder.max_b_frames = Fraction(1, 25), Fraction(25), 0
            encoder.options = OPTIONS[codec]
            for name, value in settings.items():
                setattr(encoder, name, value)
            film = Film(
                size=SIZE, pts=range(12), time_base=Fraction(1, 25), tags=settings, pixel_format=encoder.pix_fmt
            )
            for frame in [*film.frames(), None]:
                for packet in encoder.encode(frame):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    packet.pts, packet.dts = packet.pts + number * 12, (packet.dts or 0) + number * 12
                    container.mux(packet)
    return path


def two_timecodes(path: Path) -> Path:
    """Two angles of a scene, each with a timecode of its own."""
    return together(path, Film(timecode="01:00:00:00"), Film(size=(32, 32), timecode="02:00:00:00"))


def titled(path: Path, title: bytes, **changes: Any) -> Path:
    """A film whose title holds bytes that are no text."""
    data = Film(metadata={"title": TITLE.decode()}, **changes).write(path).read_bytes()
    path.write_bytes(data.replace(TITLE, title))
    return path


def shortened(path: Path, film: Film, place: Callable[[bytes], int]) -> Path:
    """The beginning of a film, up to a place that is found in its bytes."""
    data = film.write(path).read_bytes()
    path.write_bytes(data[: place(data)])
    return path


def cluster(number: int, beyond: int) -> Callable[[bytes], int]:
    """The place so many bytes behind the beginning of a cluster of Matroska."""

    def place(data: bytes) -> int:
        at = -1
        for _ in range(number + 1):
            at = data.index(b"\x1f\x43\xb6\x75", at + 1)
        return at + beyond

    return place


LARGE = Film(size=(160, 120))
CLUSTERS = Film(size=(160, 120), **MS, muxer={"cluster_time_limit": "200"})
ASPECTS = Fraction(4, 3), Fraction(16, 9)
COLOURS = [{"colorspace": code, "color_primaries": code, "color_trc": 1} for code in (1, 5)]
LATIN = b"caf\xe9 \xff\xfe!"
PAUSE = ((400, 0), (300, -1), (400, 400))

CHANGES = (
    Case(
        "the pixel aspect changes in the middle, MPEG-2",
        "aspect.ts",
        lambda path: changed(
            path, "mpeg2video", *({"sample_aspect_ratio": Fraction(n, d)} for n, d in ((4, 3), (16, 9)))
        ),
        segments=2,
        notes=("the pixel aspect changes from 4:3 to 16:9",),
        lost="the second aspect",
    ),
    Case(
        "the colours change in the middle",
        "colours.ts",
        lambda path: changed(
            path, "libx264", *({"colorspace": n, "color_primaries": n, "color_trc": 1} for n in (1, 5))
        ),
        segments=2,
        notes=("the colours change from 1/1/1 limited to 5/1/5 limited",),
        lost="the second tags: frames are converted by theirs, and the output has the first ones throughout",
    ),
    Case(
        "from 4:2:0 to 4:4:4 in the middle",
        "chroma.ts",
        lambda path: changed(path, "libx264", {}, {"pix_fmt": "yuv444p"}),
        segments=2,
    ),
    Case(
        "edit list with a pause in the middle",
        "pause.mp4",
        lambda path: edited(path, PAUSE, PAUSE, options={"bf": "0"}),
        segments=2,
        notes=("an edit list has a pause after its beginning", "an edit list puts sound together"),
        lost="the pause: FFmpeg goes on there with what the list cuts out",
    ),
    Case(
        "two videos, each with a timecode",
        "timecodes.mov",
        two_timecodes,
        segments=2,
        notes=("stream 1 (video, h264) is left out", "stream 3 (data, TimeCodeHandler) is left out"),
        lost="the second video and its timecode",
    ),
    Case("a title with zeros in it, MP4", "zeros.mp4", partial(titled, title=b"AB\0CD\0EF"), segments=2),
    Case("a title with zeros in it, Matroska", "zeros.mkv", partial(titled, title=b"AB\0CD\0EF", **MS), segments=2),
    Case("a title that is no UTF-8, MP4", "latin.mp4", partial(titled, title=b"caf\xe9 \xff\xfe!"), segments=2),
    Case(
        "a title that is no UTF-8, Matroska", "latin.mkv", partial(titled, title=b"caf\xe9 \xff\xfe!", **MS), segments=2
    ),
    Case(
        "cut off in the pictures, before the index",
        "cut_mdat.mp4",
        partial(shortened, film=LARGE, place=lambda data: len(data) // 2),
        refused="not a readable video",
        lost="refused: nobody can read it without its index",
    ),
    Case(
        "cut off in the index",
        "cut_moov.mp4",
        partial(shortened, film=LARGE, place=lambda data: data.index(b"moov") + 400),
        refused="does not decode its video",
        lost="refused: nobody can read it without its index",
    ),
    Case(
        "cut off in a cluster, Matroska",
        "cut_cluster.mkv",
        partial(shortened, film=CLUSTERS, place=cluster(2, 700)),
        refused="cut short: it announces 1.0 s",
        lost="refused: nobody can tell what is missing",
    ),
    *(
        Case(
            f"a capture that breaks off in a picture, {name}",
            f"broken_off.{format_name}",
            partial(shortened, film=film, place=lambda data, share=share: int(len(data) * share)),
            notes=("the file breaks off in the middle of a picture",),
            differs=("video frames", *lasts),
            lost="that picture, and what is shown after it",
            segments=2,
        )
        for name, format_name, film, share, lasts in (
            ("MPEG-TS", "ts", replace(LARGE, format="mpegts", **RATE), 0.6667, ("video duration",)),
            ("FLV", "flv", replace(LARGE, sounds=(Sound(rate=44100),), **MS), 0.6667, ()),
        )
    ),
    Case(
        "cut off in the index, Matroska",
        "cut_cues.mkv",
        partial(shortened, film=CLUSTERS, place=lambda data: len(data) - 20),
        segments=2,
    ),
)
