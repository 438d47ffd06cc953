"""Cases that reports about other programs tell of: codecs of cameras and recorders, and captures as they come."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from support.film import Film, Sound
from support.torture.case import Case
from support.torture.coding import crc
from support.torture.containers import INTERLACED
from support.torture.divx import packed, stays
from support.torture.structure import MS, RATE
from support.torture.timing import SILENT
from support.video import picture

TEN_BITS: dict[str, Any] = {"notes": ("the pixels have 10 bits",), "lost": "bits beyond the eighth"}
ALPHA: dict[str, Any] = {
    "notes": ("transparency",),
    "lost": "transparency: the output has no room for it",
    "options": {"pixel_format": "yuv444p", "jpeg_quality": 100},
}
LIVE: dict[str, Any] = {**MS, "options": {"b": "4M"}, "muxer": {"live": "1"}}
LATE = {"output_ts_offset": "16776.8"}
RATED = {"b": "4M"}
SHARP = {"pixel_format": "yuv444p", "jpeg_quality": 100}
TS = Film(**RATE, sounds=(Sound("aac"),))
PACKET = 188
"""The bytes of a packet of a transport stream."""
SOUND_PID = 257
FLV_SOUND = 8
"""The type of a tag with sound."""
VIDEO = b"\0\0\1\xe0"
"""How a frame begins in a transport stream (ISO/IEC 13818-1, 2.4.3.6)."""
ID3 = b"ID3\4\0\0\0\0\0\x0a" + bytes(10)
NULL = b"\x47\x1f\xff\x10" + b"\xff" * 184
"""A packet that only fills the time."""


def _changed(film: Film, change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """A film whose file is changed after it was written."""

    def make(path: Path) -> Path:
        path.write_bytes(change(film.write(path).read_bytes()))
        return path

    return make


def _packets(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], Path]:
    """A transport stream whose packets are changed."""
    return _changed(TS, lambda data: b"".join(change([data[at : at + PACKET] for at in range(0, len(data), PACKET)])))


def _without_sound(packets: list[bytes]) -> list[bytes]:
    sound = [at for at, packet in enumerate(packets) if int.from_bytes(packet[1:3], "big") & 0x1FFF == SOUND_PID]
    return [packet for at, packet in enumerate(packets) if at not in sound[10:13]]


def empty_track(path: Path) -> Path:
    """A recorder that announced a second sound which never came."""
    return _copied(path, Film(), lambda target: target.add_stream("aac", rate=48000))


def _copied(path: Path, film: Film, change: Callable[[Any], object]) -> Path:
    """A film whose packets are copied into a container that is changed before the first of them."""
    plain = film.write(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copies = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        change(target)
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    return path


def still(path: Path) -> Path:
    """A photograph."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0, 64, 48), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def short_end(path: Path) -> Path:
    """A film whose last frame lasts one tick, as some recorders end."""
    plain = Film(sounds=SILENT, options={"bf": "0"}).write(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        packets = [packet for packet in source.demux() if packet.size]
        packets[-1].duration = 1
        for packet in packets:
            packet.stream = copy
            target.mux(packet)
    return path


def _ended(path: Path) -> Path:
    """A film whose last packet has no bytes: the frame before is shown on."""
    plain = _codec("libvpx", options=RATED).write(path.with_name("plain.mkv"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy, end = target.add_stream_from_template(source.streams.video[0], opaque=True), av.Packet(0)
        for packet in source.demux(video=0):
            if packet.size:
                end.pts, end.dts, end.time_base = (packet.pts or 0) + 40, (packet.dts or 0) + 40, packet.time_base
                packet.stream = copy
                target.mux(packet)
        end.stream = copy
        target.mux(end)
    return path


def _without_decoding_time(data: bytes) -> bytes:
    """The second frame has a time of presentation only, although it is decoded long before, as of GStreamer."""
    changed = bytearray(data)
    header = data.index(VIDEO, data.index(VIDEO) + 1)
    changed[header + 7] = 0x80
    changed[header + 9] &= 0x2F
    changed[header + 14 : header + 19] = b"\xff" * 5
    return bytes(changed)


def _late(data: bytes) -> bytes:
    """Fragments whose times count from an hour before."""
    changed, place = bytearray(data), data.find(b"tfhd")
    while place >= 0:
        rate = 48000 if int.from_bytes(data[place + 8 : place + 12], "big") == 2 else 12800
        time = data.index(b"tfdt", place) + 8
        begin = int.from_bytes(data[time : time + 8], "big")
        changed[time : time + 8] = (begin + 3600 * rate).to_bytes(8, "big")
        place = data.find(b"tfhd", time)
    return bytes(changed)


def _tagged(path: Path) -> Path:
    """A film that tells its title and its artist in a track."""
    tags = {"title": "Rain", "artist": "Somebody"}
    return _copied(path, Film(**MS), lambda target: target.streams[0].metadata.update(tags))


def _signed(data: bytes) -> bytes:
    """A transport stream whose tables of the programme (PMT) have their checksums (CRC-32/MPEG-2) again."""
    packets = [bytearray(data[at : at + PACKET]) for at in range(0, len(data), PACKET)]
    for packet in packets:
        if packet[4:6] == b"\0\2":
            end = 5 + 3 + (int.from_bytes(packet[6:8], "big") & 0xFFF) - 4
            packet[end : end + 4] = crc(packet[5:end]).to_bytes(4, "big")
    return b"".join(packets)


def _jittered(data: bytes) -> bytes:
    """FLV whose packets of sound come at the time of the one before, or earlier, at some places."""
    changed, position, number, before = bytearray(data), 13, 0, 0
    while position < len(data):
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        if data[position] == FLV_SOUND:
            time, number = int.from_bytes(data[position + 4 : position + 7], "big"), number + 1
            before = {20: before, 21: before, 30: before - 5}.get(number, time)
            changed[position + 4 : position + 7] = before.to_bytes(3, "big")
        position += 11 + size + 4
    return bytes(changed)


def _codec(name: str, pixel_format: str = "yuv420p", **changes: Any) -> Film:
    return Film(**{**RATE, "codec": name, "pixel_format": pixel_format, "options": {}, "sounds": SILENT, **changes})


FRAGMENTS = Film(muxer={"movflags": "cmaf+frag_keyframe+empty_moov"})
HYBRID = {"movflags": "hybrid_fragmented+frag_keyframe"}
P3 = {"color_range": 2, "color_primaries": 12, "color_trc": 1, "colorspace": 6}
LIVE_PHOTO = Film(sounds=(Sound("pcm_s16le", "mono", 44100),), pixel_format="yuvj420p", tags=P3)
LATE_VIDEO = Film(sounds=(Sound(seconds=3.0),), pts=range(25600, 25600 + 24 * 512, 512))

WILD = (
    Case("E-AC-3 in MPEG-TS", "eac3.ts", Film(**RATE, sounds=(Sound("eac3"),))),
    Case("Opus in MPEG-TS", "opus.ts", Film(**RATE, sounds=(Sound("libopus"),))),
    Case("ADPCM of QuickTime", "ima.mov", Film(sounds=(Sound("adpcm_ima_qt"),))),
    Case("µ-law in QuickTime", "mulaw.mov", Film(sounds=(Sound("pcm_mulaw", "mono", 8000),))),
    Case("PCM of floating point, QuickTime", "float.mov", Film(sounds=(Sound("pcm_f32le"),))),
    Case("Apple Lossless", "alac.mov", Film(sounds=(Sound("alac"),))),
    Case("True Audio", "tta.mkv", Film(**MS, sounds=(Sound("tta"),))),
    Case(
        "ADPCM of Flash, `convert_audio`",
        "flash.flv",
        _codec("flv", sounds=(Sound("adpcm_swf", "mono", 22050),), options=RATED),
        options={"convert_audio": True},
        notes=("(audio, adpcm_swf) is converted to aac",),
        lost="the sound's coding: it is AAC, at the same time and of the same length",
        differs=("tracks",),
    ),
    Case("sound 15 times as long as the video", "tail.mp4", Film(sounds=(Sound(seconds=15.0),))),
    Case("sound begins when the video has ended", "after.mkv", Film(**MS, sounds=(Sound(start=5.0),))),
    Case("a sound that was announced and never came, MP4", "never.mp4", empty_track),
    Case("a sound that was announced and never came, Matroska", "never.mkv", empty_track),
    Case("1,000 frames/s", "fast.mp4", Film(rate=Fraction(1000), time_base=Fraction(1, 16000), pts=range(0, 640, 16))),
    Case("a frame a second, of a time-lapse", "slow.mp4", Film(pts=range(0, 12 * 12800, 12800), rate=Fraction(1))),
    Case("a photograph", "still.jpg", still),
    Case(
        "H.264, interlaced within pictures (MBAFF)",
        "mbaff.mp4",
        Film(options={"crf": "4", "flags": "+ilme+ildct", "x264-params": "tff=1"}),
        **INTERLACED,
    ),
    Case(
        "H.264 that refreshes column by column",
        "refresh.mp4",
        Film(options={"crf": "4", "intra-refresh": "1", "bf": "0"}),
        notes=("decoding cannot begin exactly at 3 keyframes",),
        lost="parallel decoding: no picture begins anew",
    ),
    Case(
        "H.264 that hides columns at its left",
        "hidden.mp4",
        Film(size=(96, 64), options={"crf": "4", "x264-params": "crop-rect=8,4,8,4"}),
        segments=2,
    ),
    Case(
        "24 frames shown in 60 fields (pulldown)",
        "pulldown.mkv",
        Film(**{**MS, "pts": tuple(round(k * 1001 / 24) for k in range(24))}, options={"x264-params": "pulldown=32"}),
    ),
    Case("MPEG-TS that begins within a packet of the clock", "cut.ts", _changed(TS, lambda data: data[100:])),
    Case("MPEG-TS that tells of a frame only when it is shown", "shown.ts", _changed(TS, _without_decoding_time)),
    Case("MPEG-TS with 204-byte packets", "dvb.ts", _packets(lambda parts: [part + bytes(16) for part in parts])),
    Case("MPEG-TS, mostly filling", "filled.ts", _packets(lambda parts: [part + 3 * NULL for part in parts])),
    Case("a segment of HLS, with ID3 in front", "hls.ts", _changed(TS, lambda data: ID3 + data)),
    Case("MPEG-TS that lost packets of sound", "lossy.ts", _packets(_without_sound)),
    Case("MP4 with bytes of something else at its end", "card.mp4", _changed(Film(), lambda data: data + bytes(5000))),
    Case(
        "AVI without its index",
        "unindexed.avi",
        _changed(_codec("mpeg4", options=RATED), lambda data: data[: data.index(b"idx1")]),
    ),
    Case("fragments for streaming (CMAF)", "cmaf.mp4", FRAGMENTS),
    Case(
        "fragments of a live stream that was joined after an hour",
        "joined.mp4",
        _changed(FRAGMENTS, _late),
        segments=2,
    ),
    Case("MP4 with offsets below zero", "offsets.mp4", Film(muxer={"movflags": "negative_cts_offsets"})),
    Case("WebM of a browser, without duration and index", "live.webm", _codec("libvpx", **LIVE)),
    Case("FLV whose clock passes 2²⁴ ms", "long.flv", Film(**RATE, sounds=(Sound(rate=44100),), muxer=LATE)),
    Case(
        "FLV of a live stream, whose sound comes at the same time, or earlier, at some places",
        "jitter.flv",
        _changed(Film(**RATE, sounds=(Sound(rate=44100),)), _jittered),
        notes=("do not come after the one before",),
        lost="the times of that sound: each packet comes after the one before",
        differs=("audio 0 times",),
    ),
    Case(
        "tags of a track, as programs of GStreamer write them, Matroska to MP4",
        "track_tags.mkv",
        _tagged,
        notes=("tags of stream 0 (video) that .mp4 has no place for are left out: artist",),
        lost="the artist: MP4 has no place for it in a track",
        segments=2,
    ),
    Case(
        "MPEG-TS whose language is question marks, as of VLC",
        "unknown.ts",
        _changed(Film(**RATE, sounds=(Sound(language="xyz"),)), lambda data: _signed(data.replace(b"xyz", b"???"))),
    ),
    Case(
        "the first chapter begins late, Matroska to MP4",
        "late_chapter.mkv",
        Film(**MS, chapters=((0.2, 0.5, "One"), (0.5, 0.9, "Two"))),
        notes=("the first chapter begins at 0 s instead of 0.200 s",),
        differs=("chapters",),
        lost="the beginning of that chapter: chapters of MP4 leave no gap",
        segments=2,
    ),
    Case("a last frame of one tick", "short_end.mp4", short_end),
    Case("recording of a tuner (WTV)", "tuner.wtv", _codec("mpeg2video", options=RATED, sounds=(Sound("mp2"),))),
    Case("RealVideo", "old.rm", _codec("rv20", options=RATED, sounds=(Sound("ac3", rate=44100),))),
    Case("a file of Flash", "old.swf", _codec("flv", options=RATED, sounds=(Sound("libmp3lame", rate=44100),))),
    Case("YUV4MPEG", "pipe.y4m", _codec("wrapped_avframe")),
    Case("VP9 in IVF", "plain.ivf", _codec("libvpx-vp9", options=RATED)),
    Case("Ogg", "free.ogv", _codec("libvpx", format="ogg", options=RATED, sounds=(Sound("libopus"),))),
    Case("a last packet without bytes, as of VLC", "ended.nut", _ended),
    Case("Huffyuv, 4:2:2, AVI", "capture.avi", _codec("huffyuv", "yuv422p", sounds=(Sound("pcm_u8"),))),
    Case("Cinepak", "cd.mov", _codec("cinepak", "rgb24", options={"q": "1"}), options=SHARP),
    Case("JPEG 2000 in MXF", "cinema.mxf", _codec("jpeg2000", "yuv422p")),
    Case("FFV1 in AVI", "archive.avi", _codec("ffv1")),
    Case("v210, 10 bit, 4:2:2", "card.mov", _codec("v210", "yuv422p10le"), **TEN_BITS),
    Case("PNG with alpha, QuickTime", "motion.mov", _codec("png", "rgba"), **ALPHA),
    Case("animated PNG", "anim.apng", _codec("apng", "rgba", format="apng"), **ALPHA),
    Case("CineForm, 10 bit, 4:2:2", "gopro.mov", _codec("cfhd", "yuv422p10le", size=(128, 96)), **TEN_BITS),
    Case("DNxHR in MXF", "avid.mxf", _codec("dnxhd", "yuv422p", size=(256, 128), options={"profile": "dnxhr_hq"})),
    Case("DivX 3", "divx.avi", _codec("msmpeg4", options=RATED, sounds=(Sound("libmp3lame"),))),
    *(
        Case(
            f"XviD with two frames in a packet (packed), {name}",
            file,
            packed,
            notes=("cannot begin exactly",),
            lost="parallel decoding: a frame's time follows from its place among all",
        )
        for name, file in (("AVI", "packed.avi"), ("Matroska", "packed.mkv"))
    ),
    Case("XviD in which some frames stay", "stays.avi", stays, segments=2),
    Case("H.263 of an old phone", "old.3gp", _codec("h263", size=(176, 144), options=RATED)),
    Case("Ut Video, 4:2:2", "lossless.avi", _codec("utvideo", "yuv422p")),
    Case("pixels without coding, NUT", "raw.nut", _codec("rawvideo", sounds=(Sound("pcm_s16le"),))),
    Case("pixels of one bit, QuickTime", "fax.mov", _codec("rawvideo", "monob"), options=SHARP),
    Case("4:1:1", "411.mkv", Film(codec="ffv1", pixel_format="yuv411p", sounds=(), **MS)),
    Case("4:1:0", "410.mkv", Film(codec="ffv1", pixel_format="yuv410p", sounds=(), **MS)),
    Case("MP4 that was recorded in fragments and then got an index (OBS)", "obs.mp4", Film(muxer=HYBRID)),
    Case("the sound of a Live Photo, the colours of Display P3", "live.mov", LIVE_PHOTO),
    Case("video begins two seconds after the sound", "late.mp4", LATE_VIDEO),
)  # fmt: skip
