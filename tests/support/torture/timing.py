"""Cases that put time to the test."""

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from support.film import Film, Sound
from support.torture.case import Case

VARIABLE = [0, 333, 334, 1500, 1667, 2000, 2001, 2002, 4000, 4010, 4500, 6000, 7000, 7007]
SILENT = ()


def _remux(path: Path, film: Film, change: Any, **muxer: Any) -> Path:
    """Write a film with other packets: ``change`` takes the packets of all streams and gives those to be written."""
    plain = film.write(path.with_name("plain.mp4"))
    with av.open(str(plain)) as source, av.open(str(path), "w", **muxer) as target:
        streams = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for stream in source.streams:
            streams[stream.index].time_base = stream.time_base
        for packet in change([packet for packet in source.demux() if packet.size]):
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    return path


def negative_start(path: Path) -> Path:
    """Matroska counts from its clusters' times, which no muxer writes below zero; the blocks in them may be earlier."""
    times = tuple(range(0, 960, 40))
    data = bytearray(
        Film(time_base=Fraction(1, 1000), pts=times, sounds=SILENT, options={"bf": "0"}).write(path).read_bytes()
    )
    position = data.index(b"\x1f\x43\xb6\x75") + 12  # identifier and size of the cluster
    while position < len(data) and data[position] in (0xE7, 0xA3, 0xA0, 0xAB):
        width = 9 - data[position + 1].bit_length()
        size = int.from_bytes(data[position + 1 : position + 1 + width], "big") & ((1 << 7 * width) - 1)
        block = position + 1 + width
        if data[position] == 0xA3:
            time = int.from_bytes(data[block + 1 : block + 3], "big", signed=True)
            data[block + 1 : block + 3] = (time - 300).to_bytes(2, "big", signed=True)
        position = block + size
    path.write_bytes(data)
    return path


def duplicate_times(path: Path) -> Path:
    """Three frames at one time, as phones write after a hiccup."""

    def alike(packets: list[Any]) -> list[Any]:
        for number in (7, 8):
            packets[number].pts = packets[number].dts = packets[6].pts
        return packets

    return _remux(path, Film(codec="mjpeg", pixel_format="yuvj420p", sounds=SILENT, options={"qmin": "1"}), alike)


def as_stored(path: Path) -> Path:
    """The times of pictures are those of the order in which they are stored, as of muxers that come from AVI."""

    def told(packets: list[Any]) -> list[Any]:
        for packet in packets:
            packet.pts = packet.dts
        return packets

    return _remux(path, Film(sounds=SILENT), told)


def wrong_offsets(path: Path) -> Path:
    """The offsets from decoding to presentation are those of another frame rate: times are shared, and out of order."""

    def told(packets: list[Any]) -> list[Any]:
        begin = packets[0].dts
        for packet in packets:
            packet.pts = packet.dts - begin + (packet.pts - packet.dts) // 3
            packet.dts -= begin
        return packets

    return _remux(path, Film(sounds=SILENT, options={"bf": "3"}), told)


def edit_list(path: Path) -> Path:
    """Packets before zero are in the file, and the edit list says that they are not shown."""

    def earlier(packets: list[Any]) -> list[Any]:
        for packet in packets:
            shift = round(Fraction(3, 25) / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return packets

    return _remux(path, Film(gop=24), earlier, options={"avoid_negative_ts": "disabled", "use_editlist": "1"})


def backwards(path: Path) -> Path:
    """A clock that was set back: the last cluster of a Matroska file is said to be earlier than the one before."""
    film = Film(time_base=Fraction(1, 1000), pts=tuple(range(0, 960, 40)), sounds=SILENT)
    data = bytearray(replace(film, muxer={"cluster_time_limit": "200"}).write(path).read_bytes())
    cluster = data.rindex(b"\x1f\x43\xb6\x75")
    field = data.index(b"\xe7\x82", cluster)
    time = int.from_bytes(data[field + 2 : field + 4], "big")
    data[field + 2 : field + 4] = (time - 500).to_bytes(2, "big")
    path.write_bytes(data)
    return path


def _frames(rate: Fraction, count: int = 24) -> dict[str, Any]:
    base = Fraction(1, rate.numerator)
    return {"rate": rate, "time_base": base, "pts": [rate.denominator * k for k in range(count)]}


def _sparse() -> list[int]:
    generator = random.Random(3)
    return sorted({0, 3 * 3600 * 1000, *(generator.randrange(3 * 3600 * 1000) for _ in range(30))})


AVI = Film(
    codec="mpeg4",
    time_base=Fraction(1, 25),
    pts=range(24),
    sounds=(Sound("libmp3lame"),),
    options={"b": "4000k", "qmin": "1"},
)

TIMING = (
    Case("variable frame rate, MP4", "vfr.mp4", Film(pts=VARIABLE, gop=4, time_base=Fraction(1, 10000)), segments=2),
    Case(
        "variable frame rate, Matroska", "vfr.mkv", Film(pts=VARIABLE, gop=4, time_base=Fraction(1, 1000)), segments=2
    ),
    Case(
        "variable frame rate finer than the container's ticks",
        "coarse.mkv",
        Film(pts=VARIABLE, gop=4, time_base=Fraction(1, 10000)),
        segments=2,
        notes=("a tick later",),
        lost="frames that fall on one tick come a tick after each other",
    ),
    Case("23.976 frames/s", "film.mp4", Film(**_frames(Fraction(24000, 1001))), segments=2),
    Case("29.97 frames/s", "ntsc.mp4", Film(**_frames(Fraction(30000, 1001))), segments=2),
    Case("59.94 frames/s, Matroska", "ntsc2.mkv", Film(**_frames(Fraction(60000, 1001))), segments=2),
    Case("start after zero", "late.mp4", Film(pts=[7000 + 512 * k for k in range(24)])),
    Case(
        "start before zero",
        "negative.mkv",
        negative_start,
        refused="without timestamps",
        lost="refused: FFmpeg reads no times below zero out of Matroska",
    ),
    Case("edit list that hides the first frames", "edits.mp4", edit_list),
    Case("AAC priming, from MP4 to Matroska", "priming_ffv1.mp4", Film(), options={"codec": "ffv1", "crf": None}),
    Case(
        "MP3 priming, from MP4 to Matroska",
        "priming_mp3.mp4",
        Film(sounds=(Sound("libmp3lame"),)),
        options={"codec": "ffv1", "crf": None},
    ),
    Case(
        "Opus in MP4, to Matroska",
        "priming_opus.mp4",
        Film(sounds=(Sound("libopus"),)),
        options={"codec": "ffv1", "crf": None},
    ),
    Case("AAC priming", "priming.mp4", Film(sounds=(Sound("aac", seconds=0.96),))),
    Case(
        "sound begins before the video, and ends after it",
        "long.mp4",
        Film(pts=[12800 + 512 * k for k in range(24)], sounds=(Sound(seconds=3.0),)),
    ),
    Case(
        "sound begins after the video, and ends before it", "short.mp4", Film(sounds=(Sound(start=0.3, seconds=0.3),))
    ),
    Case("AVI, which has no timestamps", "old.avi", AVI, segments=2),
    Case(
        "AVI with B-frames",
        "old_b.avi",
        Film(time_base=Fraction(1, 25), pts=range(24), sounds=(Sound("libmp3lame"),)),
        notes=("cannot begin exactly",),
        lost="parallel decoding: a frame's time follows from its place among all",
    ),
    Case(
        "frames at the same time",
        "twice.mkv",
        duplicate_times,
        notes=("2 frames share",),
        segments=2,
        lost="each comes a tick after the one before: there must be an order",
    ),
    Case(
        "times in the order in which pictures are stored, Matroska",
        "stored.mkv",
        as_stored,
        notes=("frames have times in another order than their pictures",),
        segments=2,
        lost="times out of order: frames come as the decoder gives them, as in players",
    ),
    Case(
        "times by offsets of another frame rate, MP4",
        "wrong_offsets.mp4",
        wrong_offsets,
        notes=(
            "4 frames share",
            "frames have times in another order than their pictures",
        ),
        segments=2,
        lost="times out of order: frames come as the decoder gives them, as in players",
    ),
    Case(
        "times that jump back",
        "backwards.mkv",
        backwards,
        refused="jump back",
        lost="refused: no order of the frames is the right one; "
        "`ffmpeg -i film.mkv -vf setpts=N/FR/TB` counts them anew",
    ),
    Case(
        "times of many years",
        "huge.mkv",
        Film(pts=[10**12 + 40 * k for k in range(24)], time_base=Fraction(1, 1000), sounds=SILENT),
    ),
    Case(
        "MPEG-TS, times counted from an odd start",
        "stream.ts",
        Film(
            codec="mpeg2video", time_base=Fraction(1, 25), pts=range(24), sounds=(Sound("mp2"),), options={"b": "4000k"}
        ),
        segments=2,
    ),
    Case("one frame", "one.mp4", Film(pts=[0], sounds=SILENT)),
    Case("two frames", "two.mp4", Film(pts=[0, 512], sounds=SILENT)),
    Case(
        "31 frames in three hours",
        "sparse.mkv",
        Film(pts=_sparse(), time_base=Fraction(1, 1000), sounds=SILENT),
        segments=2,
    ),
)
