"""Cases that put the structure of streams and containers to the test."""

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from support.film import Film, Sound
from support.torture.case import Case
from support.torture.timing import SILENT

RATE = {"time_base": Fraction(1, 25), "pts": tuple(range(24))}
MS = {"time_base": Fraction(1, 1000), "pts": tuple(range(0, 960, 40))}


def cover_art(path: Path) -> Path:
    """A picture of its own beside the video, as music libraries have."""
    film = Film()
    plain = film.write(path.with_name(f"plain{path.suffix}"))
    image = next(film.frames()).reformat(format="yuvj420p")
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    (picture,) = [*codec.encode(image), *codec.encode(None)]
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        streams = [target.add_stream_from_template(s, opaque=True) for s in source.streams]
        cover = target.add_mux_stream("mjpeg", width=64, height=48)
        cover.disposition = Disposition.attached_pic
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
        packet = av.Packet(bytes(picture))
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 90000)
        target.mux(packet)
    return path


def two_videos(path: Path) -> Path:
    """Two angles of a scene; players show the one that is marked as default, else the first of the best rate."""
    return together(path, Film(size=(32, 24)), Film(size=(64, 48)))


def together(path: Path, *films: Film) -> Path:
    """The pictures of several films in one container."""
    with av.open(str(path), "w") as container:
        streams = [film._video(container) for film in films]
        for film, stream in zip(films, streams, strict=True):
            for frame in film.frames():
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


FORMATS = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le", "png": "rgb24"}
"""The pixel formats of codecs that do not take yuv420p."""


def size_change(path: Path, codec_name: str = "libx264") -> Path:
    """A broadcast that switches from one size to another, or the recording of a call."""
    pixels = FORMATS.get(codec_name, "yuv420p")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec_name, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixels
        for part, size in enumerate([(64, 64), (96, 64)]):
            codec: Any = av.CodecContext.create(codec_name, "w")
            codec.width, codec.height, codec.pix_fmt = *size, pixels
            codec.time_base, codec.framerate, codec.max_b_frames = Fraction(1, 25), Fraction(25), 0
            film = Film(size=size, pts=range(12), time_base=Fraction(1, 25), pixel_format=pixels)
            for frame in [*film.frames(), None]:
                for packet in codec.encode(frame):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    packet.pts, packet.dts = packet.pts + part * 12, packet.dts + part * 12
                    container.mux(packet)
    return path


def damaged(path: Path) -> Path:
    """Some bytes in the middle of the pictures are noise."""
    data = bytearray(Film(size=(160, 120)).write(path).read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][11]
    data[packet.pos + 20 : packet.pos + packet.size - 4] = np.random.default_rng(7).bytes(packet.size - 24)
    path.write_bytes(data)
    return path


def truncated(path: Path) -> Path:
    """A transfer that broke off."""
    data = Film(size=(160, 120), muxer={"movflags": "+faststart"}).write(path).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def without_index(path: Path) -> Path:
    """Matroska as a live stream writes it: no index, no duration."""
    return Film(**MS, muxer={"live": "1"}).write(path)


SCALED = {
    "preset": "10",
    "svtav1-params": "lp=1:resize-mode=4:frame-resz-events=8:frame-resz-kf-denoms=16:frame-resz-denoms=16",
}
"""From frame 8 on frames have half the width and height, and refer to the larger ones."""
SCALED_KEYS = {
    "preset": "10",
    "svtav1-params": "lp=1:keyint=8:resize-mode=4:frame-resz-events=8,16:frame-resz-kf-denoms=16,8:"
    "frame-resz-denoms=16,8",
}
"""The second group of pictures has half the width and height; the header that all share tells the largest size."""
SMALLER = {"preset": "10", "crf": "10", "svtav1-params": "lp=1:resize-mode=1:resize-denom=12:resize-kf-denom=12"}
X264_OPEN = {"x264-params": "open-gop=1:keyint=6:min-keyint=6:scenecut=0:bframes=3"}
X265 = {"x265-params": "log-level=error:crf=4:keyint=6:min-keyint=6:scenecut=0:bframes=3:pools=1:frame-threads=1"}

STRUCTURE = (
    Case("one keyframe in all", "one_key.mp4", Film(gop=1000)),
    Case("H.264 with open groups of pictures", "open.mp4", Film(options=X264_OPEN), segments=2),
    Case(
        "H.264 with a pyramid of B-frames",
        "pyramid.mp4",
        Film(options={"x264-params": "b-pyramid=normal:bframes=7:keyint=12"}),
        segments=2,
    ),
    Case("HEVC with leading pictures (CRA)", "cra.mp4", Film(codec="libx265", options=X265), segments=2),
    Case("HEVC, Matroska", "cra.mkv", Film(codec="libx265", options=X265), segments=2),
    Case("MJPEG", "mjpeg.mov", Film(codec="mjpeg", pixel_format="yuvj420p", options={"qmin": "1"}), segments=2),
    Case(
        "ProRes",
        "prores.mov",
        Film(codec="prores_ks", pixel_format="yuv422p10le", sounds=(Sound("pcm_s16le"),)),
        notes=("10 bits",),
        lost="bits beyond the eighth",
        segments=2,
    ),
    Case("FFV1", "ffv1.mkv", Film(codec="ffv1", **MS, sounds=(Sound("flac"),)), segments=2),
    Case("VP8", "vp8.webm", Film(codec="libvpx", **MS, sounds=(Sound("libopus"),), options={"b": "4M"}), segments=2),
    Case(
        "VP8 with hidden frames",
        "vp8alt.webm",
        Film(
            codec="libvpx",
            **MS,
            gop=12,
            sounds=(Sound("libopus"),),
            options={"b": "4M", "auto-alt-ref": "1", "lag-in-frames": "8", "arnr-maxframes": "5"},
        ),
    ),
    Case(
        "VP9",
        "vp9.webm",
        Film(
            codec="libvpx-vp9",
            **MS,
            sounds=(Sound("libopus"),),
            options={"crf": "4", "b": "0", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"},
        ),
        segments=2,
    ),
    Case(
        "AV1",
        "av1.mp4",
        Film(codec="libsvtav1", options={"preset": "12", "crf": "10", "svtav1-params": "lp=1"}),
        segments=2,
    ),
    Case(
        "AV1, Matroska",
        "av1.mkv",
        Film(codec="libsvtav1", **MS, options={"preset": "12", "crf": "10", "svtav1-params": "lp=1"}),
        segments=2,
    ),
    Case(
        "MPEG-2, interlaced",
        "field.mpg",
        Film(
            codec="mpeg2video",
            size=(96, 64),
            **RATE,
            sounds=(Sound("mp2"),),
            options={"flags": "+ildct+ilme", "b": "4M"},
        ),
        segments=2,
        notes=("interlaced",),
        lost="interlacing: both fields are styled as one picture, the output is progressive",
    ),
    Case(
        "GIF",
        "anim.gif",
        Film(codec="gif", pixel_format="rgb8", sounds=SILENT, time_base=Fraction(1, 100), pts=tuple(range(0, 96, 4))),
        psnr=20,
        notes=("transparency",),
        lost="transparency; and as players want 4:2:0, half of its colours' detail",
    ),
    Case(
        "GIF, to 4:4:4",
        "anim444.gif",
        Film(codec="gif", pixel_format="rgb8", sounds=SILENT, time_base=Fraction(1, 100), pts=tuple(range(0, 96, 4))),
        options={"pixel_format": "yuv444p", "jpeg_quality": 100},
        notes=("transparency",),
        lost="transparency",
    ),
    Case(
        "animated WebP",
        "anim.webp",
        Film(codec="libwebp_anim", sounds=SILENT, **MS),
        refused="WebP",
        lost="refused: FFmpeg cannot decode it; convert it to GIF or MP4 first",
    ),
    Case("cover art beside the video", "cover.mp4", cover_art),
    Case(
        "several video streams",
        "two.mkv",
        two_videos,
        notes=("stream 1 (video, h264) is left out",),
        lost="all but the one that players show (by `av_find_best_stream`)",
    ),
    Case(
        "the size changes in the middle",
        "size.ts",
        size_change,
        refused="the frame size changes from 64x64 to 96x64",
        lost="refused when it is planned: one video has one size",
    ),
    *(
        Case(
            f"the size changes in the middle, {name}",
            file,
            partial(size_change, codec_name=codec),
            refused="the frame size changes from 64x64 to 96x64",
            lost="refused when it is planned",
        )
        for name, file, codec in (
            ("VP8 of a call", "call.webm", "libvpx"),
            ("VP9 of a call", "call9.webm", "libvpx-vp9"),
            ("MPEG-2", "size2.ts", "mpeg2video"),
            ("HEVC", "size5.ts", "libx265"),
            ("AV1", "size1.mkv", "libsvtav1"),
            ("MJPEG", "size.avi", "mjpeg"),
            ("ProRes", "size.mov", "prores_ks"),
            ("PNG", "size_png.mov", "png"),
            ("JPEG 2000", "size_2000.mov", "jpeg2000"),
            ("MPEG-4", "size4.avi", "mpeg4"),
        )
    ),
    Case(
        "the size changes between two keyframes, AV1",
        "scaled.mkv",
        Film(codec="libsvtav1", size=(320, 240), gop=1000, options=SCALED, sounds=SILENT, **RATE),
        refused="the frame size changes from 320x240 to 160x120",
        lost="refused when it is planned: frames may refer to frames of another size (VP9, too)",
    ),
    Case(
        "the size changes at a keyframe, and the header stays, AV1",
        "scaled_keys.mkv",
        Film(codec="libsvtav1", size=(320, 240), options=SCALED_KEYS, sounds=SILENT, **RATE),
        refused="the frame size changes from 320x240 to 160x120",
        lost="refused when it is planned",
    ),
    Case(
        "all frames are smaller than the header says, AV1",
        "smaller.mkv",
        Film(codec="libsvtav1", size=(320, 240), options=SMALLER, sounds=SILENT, **RATE),
    ),
    Case(
        "a damaged packet",
        "damaged.mp4",
        damaged,
        late=True,
        refused="the frame at 0.400 s is damaged",
        lost="refused, unless `bad_frames` says what to show in its place",
    ),
    Case(
        "a damaged packet, `bad_frames` is `hold_previous`",
        "mended.mp4",
        damaged,
        options={"bad_frames": "hold_previous"},
        psnr=0,
        failed=1,
        lost="the damaged frame, and what refers to it is as its decoder mends it",
    ),
    Case("truncated", "cut.mp4", truncated, refused="cut short", lost="refused: nobody can tell what is missing"),
    Case("fragmented MP4", "fragments.mp4", Film(muxer={"movflags": "frag_keyframe+empty_moov"}), segments=2),
    Case("index at the end of the file", "slow.mp4", Film(), segments=2),
    Case("index at the beginning", "fast.mp4", Film(muxer={"movflags": "+faststart"}), segments=2),
    Case("Matroska without an index", "live.mkv", without_index, segments=2),
)
