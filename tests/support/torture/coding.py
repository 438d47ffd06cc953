"""Cases that put coding to the test: how cameras, broadcasters and editors store pictures, and what is beside them."""

import struct
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from support.film import Film
from support.torture.captions import captions, message, rewritten
from support.torture.case import Case
from support.torture.paff import paff
from support.torture.structure import MS, RATE, X264_OPEN, X265
from support.torture.timing import SILENT
from support.video import picture

ORIENTED = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 6) + bytes(4)
"""EXIF with one field: the picture is to be turned by 90 degrees to the right."""
JPEG = Film(codec="mjpeg", pixel_format="yuvj420p", options={"qmin": "1"}, sounds=SILENT, **RATE)

SVT = {"preset": "12", "crf": "10", "svtav1-params": "lp=1"}
INSIDE: dict[str, Any] = {"sounds": (), "format": "mpegts", "time_base": Fraction(1, 25), "pts": tuple(range(48))}
SHARP = {"pixel_format": "yuv444p", "jpeg_quality": 100}
"""For pictures of few colours, whose edges 4:2:0 blurs."""


def exif(path: Path) -> Path:
    """A time-lapse: the JPEG files of a camera, each with its EXIF."""
    block = b"\xff\xe1" + struct.pack(">H", len(ORIENTED) + 2) + ORIENTED
    return rewritten(path, JPEG, lambda picture: picture[:2] + block + picture[2:])


def lcevc(path: Path) -> Path:
    """An enhancement layer in messages of the base layer (ITU-T T.35, of V-Nova), which only some players show."""
    return rewritten(path, Film(sounds=SILENT), message(b"\xb4\0\x50\0" + bytes(range(1, 20))))


def profile(path: Path) -> Path:
    """JPEG files of a phone, each with the profile of its colours."""
    content = b"ICC_PROFILE\0\1\1" + struct.pack(">I", 132) + bytes(128)
    block = b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content
    return rewritten(path, JPEG, lambda picture: picture[:2] + block + picture[2:])


def palette(path: Path) -> Path:
    """Pixels that are indices into 256 colours, as screen recorders and animation programs stored them."""
    colors = np.array([(255, r * 36, g * 36, b * 85) for r in range(8) for g in range(8) for b in range(4)], np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "pal8"
        for index in range(12):
            red, green, blue = np.moveaxis(picture(index, 64, 48).astype(int), -1, 0)
            indices = (red // 37 * 32 + green // 37 * 4 + blue // 86).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray((indices, colors), format="pal8")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def vp9_hidden(path: Path, *, joined: bool) -> Path:
    """VP9 with hidden frames: every other frame is decoded, and shown by the next packet, which only names it.

    An encoder joins the two into one packet (a superframe); some hardware encoders leave them apart.
    """
    plain = Film(codec="libvpx-vp9", **MS, gop=1, sounds=SILENT, options={"b": "4M"}).write(
        path.with_name("plain.webm")
    )
    options = {"fflags": "-autobsf"}  # The muxer would join them.
    with av.open(str(plain)) as source, av.open(str(path), "w", options=options) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream, opaque=True)
        for number, packet in enumerate(packet for packet in source.demux(stream) if packet.size):
            frame = bytes(packet)
            parts = [frame]
            if number % 2:
                parts = [bytes([frame[0] & ~2]) + frame[1:], b"\x88"]  # show_frame is 0; show_existing_frame of slot 0
            if number % 2 and joined:
                index = b"\xc9" + len(frame).to_bytes(2, "little") + (1).to_bytes(2, "little") + b"\xc9"
                parts = [b"".join(parts) + index]
            for part in parts:
                split: Any = av.Packet(part)
                split.pts = split.dts = packet.pts
                split.stream, split.time_base, split.is_keyframe = copy, packet.time_base, len(part) > 1
                target.mux(split)
    return path


def reserved_colors(path: Path) -> Path:
    """ProRes whose frames have zeros, which are reserved, for the colours that the editor did not know."""
    film = Film(codec="prores_ks", pixel_format="yuv422p10le", sounds=SILENT)

    def without_colors(picture: bytes) -> bytes:
        header = picture.index(b"icpf") + 4
        return picture[: header + 14] + bytes(3) + picture[header + 17 :]

    return rewritten(path, film, without_colors)


def cut_off(path: Path, film: Film, share: float) -> Path:
    """A capture that began at any time: the first packets of the transport stream are missing."""
    data = film.write(path).read_bytes()
    path.write_bytes(data[int(len(data) * share) // 188 * 188 :])
    return path


def boxed(path: Path, film: Film, box: bytes) -> Path:
    """A film with one more box in the sample entry of its video."""
    data = film.write(path).read_bytes()
    path.write_bytes(_insert(data, (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"), box))
    return path


def _insert(data: bytes, names: tuple[bytes, ...], box: bytes) -> bytes:
    """The boxes with another one at the end of the first entry of the first table at this path."""
    position = 0
    while data[position + 4 : position + 8] != names[0]:
        position += int.from_bytes(data[position : position + 4], "big")
    end = position + int.from_bytes(data[position : position + 4], "big")
    content = data[position + 8 : end]
    if len(names) > 1:
        content = _insert(content, names[1:], box)
    else:
        size = int.from_bytes(content[8:12], "big")
        content = content[:8] + _box(content[12:16], content[16 : 8 + size] + box) + content[8 + size :]
    return data[:position] + _box(names[0], content) + data[end:]


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def ordered(path: Path, chapters: tuple[tuple[float, float, str], ...]) -> Path:
    """A film whose edition is ordered: players show these parts of it, and nothing else."""
    data = Film(**MS, sounds=SILENT, chapters=chapters).write(path).read_bytes()
    path.write_bytes(data.replace(b"\x45\xdb\x81\1", b"\x45\xdd\x81\1", 1))  # instead of the default
    return path


def squeezed(path: Path) -> Path:
    """Two views in one picture, each of them of half the width: its display width is that of the picture."""
    data = side_by_side(path).read_bytes()
    path.write_bytes(data.replace(b"\x54\xb0\x81\x20", b"\x54\xb0\x81\x40", 1))
    return path


def side_by_side(path: Path) -> Path:
    """Two views in one picture, as Matroska tells it."""
    plain = Film(**MS, sounds=SILENT).write(path.with_name("plain.mkv"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        copy.metadata["stereo_mode"] = "left_right"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    return path


HEVC10 = Film(codec="libx265", pixel_format="yuv420p10le", options=X265, sounds=SILENT)
ALPHA = {"b": "4M", "auto-alt-ref": "0"}
CLAP = _box(b"clap", struct.pack(">8i", 48, 1, 32, 1, 4, 1, -2, 1))
"""Only 48x32 of the pixels are shown, 4 to the right of the middle and 2 above it."""
SPHERE = _box(
    b"sv3d",
    _box(b"svhd", bytes(5)) + _box(b"proj", _box(b"prhd", bytes(16)) + _box(b"equi", bytes(20))),
)
DOLBY_VISION = {n: _box(b"dvcC", bytes([1, 0, n << 1, 0b1101, 0]) + bytes(19)) for n in (5, 8)}


def flipped(path: Path, film: Film) -> Path:
    """One wrong bit in the middle, the first one that a decoder conceals, so that a frame comes all the same."""
    data = film.write(path).read_bytes()
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][12]
    start = data.index(bytes(packet))
    for place in range(start + 40, start + packet.size):
        wrong = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        path.write_bytes(wrong)
        with av.open(str(path)) as container, suppress(av.InvalidDataError):
            if film.codec == "ffv1" or sum(frame.is_corrupt for frame in container.decode(video=0)):
                return path
    raise AssertionError("no bit is noticed")


def sample_aes(path: Path) -> Path:
    """A segment of HLS: its stream type says that the pictures are encrypted by Apple's SAMPLE-AES."""
    data = bytearray(Film(sounds=SILENT, **RATE, format="mpegts").write(path).read_bytes())
    for start in range(0, len(data), 188):
        if data[start + 1] & 0x40 and data[start + 5] == 2:  # the program map table
            section = data[start + 5 : start + 8 + data[start + 7]]
            section[12] = 0xDB
            section[-4:] = crc(section[:-4]).to_bytes(4, "big")
            data[start + 5 : start + 5 + len(section)] = section
    path.write_bytes(data)
    return path


def crc(data: bytes) -> int:
    """CRC-32 of MPEG-2 (ISO/IEC 13818-1, annex A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}

CODING = (
    Case("MJPEG with EXIF, turned", "exif.avi", exif, segments=2),
    Case("H.264 with LCEVC", "lcevc.mp4", lcevc, segments=2, notes=("LCEVC",), lost="the enhancement layer"),
    Case("closed captions in the pictures", "a53.mp4", captions, segments=2),
    Case("closed captions in some of the pictures", "a53_some.mp4", partial(captions, every=5), segments=2),
    Case("more closed captions than a message holds", "a53_many.mp4", partial(captions, triplets=40), segments=2),
    Case(
        "closed captions, HEVC with leading pictures, to HEVC",
        "a53_5.mkv",
        partial(captions, film=Film(codec="libx265", options=X265, sounds=SILENT)),
        segments=2,
        options={"codec": "h265"},
    ),
    Case(
        "closed captions, MPEG-2 with B-frames in MPEG-TS",
        "a53.ts",
        partial(captions, film=Film(codec="mpeg2video", options={"bf": "2", "b": "4M"}, **INSIDE)),
        segments=2,
    ),
    Case(
        "closed captions, AV1",
        "a53_av1.mkv",
        partial(captions, film=Film(codec="libsvtav1", **MS, options=SVT, sounds=SILENT)),
        segments=2,
    ),
    Case(
        "closed captions, to FFV1",
        "a53_ffv1.mp4",
        captions,
        segments=2,
        options={"codec": "ffv1", "crf": None, "preset": "medium"},
        notes=("closed captions",),
        differs=("captions",),
        lost="the captions: only H.264 and HEVC carry them here",
    ),
    Case(
        "an active format description in the pictures",
        "afd.mp4",
        partial(rewritten, film=Film(sounds=SILENT), change=message(b"\xb5\0\x31DTG1\x41\xfa")),
        segments=2,
        notes=("the active format description",),
        lost="the active format description",
    ),
    Case(
        "two views side by side, told in the pictures (H.264)",
        "packed.mp4",
        Film(options={"x264-params": "frame-packing=3"}, sounds=SILENT),
        segments=2,
        notes=("how two views share a picture",),
        lost="how two views share a picture",
    ),
    Case(
        "MJPEG with a profile of its colours (ICC)",
        "icc.avi",
        profile,
        segments=2,
        notes=("the colour profile",),
        lost="the profile",
    ),
    Case(
        "transparency beside the pictures, VP9",
        "alpha.webm",
        Film(
            codec="libvpx-vp9", **MS, pixel_format="yuva420p", sounds=SILENT, options={"b": "4M", "auto-alt-ref": "0"}
        ),
        notes=("transparency is left out",),
        lost="transparency",
    ),
    Case("a clean aperture (`clap`), MP4", "clap.mp4", partial(boxed, film=Film(sounds=SILENT), box=CLAP), segments=2),
    Case("a sphere (360°), MP4", "sphere.mp4", partial(boxed, film=Film(sounds=SILENT), box=SPHERE), segments=2),
    Case("two views side by side, Matroska", "stereo.mkv", side_by_side, segments=2),
    Case(
        "two views side by side, of pixels that are not square, Matroska",
        "anamorphic.mkv",
        squeezed,
        refused="two views share a picture whose pixels are not square (2:1)",
        lost="refused when it is planned: FFmpeg writes no such Matroska; "
        "`ffmpeg -i film.mkv -vf scale=iw*sar:ih,setsar=1`",
    ),
    Case(
        "an ordered edition that shows all parts in order, Matroska",
        "in_order.mkv",
        partial(ordered, chapters=((0.0, 0.48, "One"), (0.48, 0.96, "Two"))),
        segments=2,
    ),
    Case(
        "an ordered edition that leaves parts out, Matroska",
        "ordered.mkv",
        partial(ordered, chapters=((0.2, 0.5, "One"), (0.5, 0.8, "Two"))),
        refused="an ordered edition shows parts of this film",
        lost="refused when it is planned: FFmpeg does not follow it; `mpv film.mkv --o=whole.mkv`",
    ),
    Case(
        "Dolby Vision, profile 8",
        "dovi8.mp4",
        partial(boxed, film=HEVC10, box=DOLBY_VISION[8]),
        notes=("Dolby Vision (profile 8)", "10 bits"),
        lost="its metadata, and bits beyond the eighth",
        segments=2,
    ),
    Case(
        "Dolby Vision, profile 5",
        "dovi5.mp4",
        partial(boxed, film=HEVC10, box=DOLBY_VISION[5]),
        refused="Dolby Vision of profile 5",
        lost="refused: its colours are its own; convert it first with libplacebo",
    ),
    Case("a palette, AVI", "palette.avi", palette, segments=2, options=SHARP),
    Case("a palette, QuickTime", "palette.mov", palette, segments=2, options=SHARP),
    Case(
        "grays by QuickTime's Animation",
        "animation.mov",
        Film(codec="qtrle", pixel_format="gray", sounds=SILENT),
        segments=2,
    ),
    Case("VP9 with hidden frames in superframes", "super.webm", partial(vp9_hidden, joined=True), segments=2),
    Case("VP9 with hidden frames in packets of their own", "split.webm", partial(vp9_hidden, joined=False), segments=2),
    Case(
        "ProRes with reserved codes of colours",
        "reserved.mov",
        reserved_colors,
        segments=2,
        notes=("10 bits",),
        lost="bits beyond the eighth",
    ),
    Case(
        "H.264 with B-frames in MXF, without offsets of reordering",
        "h264.mxf",
        Film(sounds=SILENT, format="mxf", **RATE),
        lost="parallel decoding: a frame's time follows from its place among all",
        notes=("decoding cannot begin exactly",),
    ),
    Case(
        "H.264 whose fields have packets of their own (PAFF)",
        "paff.ts",
        paff,
        options={"pixel_format": "yuv444p"},
        segments=2,
        notes=("interlaced",),
        lost="interlacing: both fields are styled as one picture, the output is progressive",
    ),
    Case(
        "closed captions in both fields of a frame (PAFF)",
        "a53_paff.ts",
        partial(paff, captioned=True),
        options={"pixel_format": "yuv444p"},
        segments=2,
        notes=("interlaced",),
        lost="interlacing: both fields are styled as one picture, the output is progressive",
    ),
    *(
        Case(
            f"a capture that begins in the middle, {name}",
            f"inside_{codec}.ts",
            partial(cut_off, film=Film(size=(160, 120), codec=codec, **INSIDE, options=options), share=0.3),
            notes=("begins in the middle of a group of pictures",),
            segments=2,
            lost="what refers to pictures before: it begins where players begin",
        )
        for name, codec, options in (
            ("H.264 with open groups", "libx264", X264_OPEN),
            ("HEVC with leading pictures", "libx265", X265),
            ("MPEG-2", "mpeg2video", {"bf": "2", "b": "4M"}),
        )
    ),
    Case(
        "a wrong bit that the decoder conceals, MPEG-2",
        "flip_mpeg2.mkv",
        partial(flipped, film=Film(size=(160, 120), sounds=SILENT, codec="mpeg2video", **RATE, options={"b": "4M"})),
        late=True,
        refused="is damaged",
        lost="refused, unless `bad_frames` says what to show in its place",
    ),
    Case(
        "a wrong bit, FFV1, which has checksums",
        "flip.mkv",
        partial(flipped, film=Film(size=(160, 120), sounds=SILENT, codec="ffv1", **MS)),
        late=True,
        refused="the frame at 0.480 s is damaged",
        lost="refused, unless `bad_frames` says what to show in its place",
    ),
    Case(
        "encrypted MP4 (Common Encryption)",
        "cenc.mp4",
        Film(muxer=KEY),
        refused="video stream 0 is encrypted (Common Encryption)",
        lost="refused: whoever has the key decrypts it first (`ffmpeg -decryption_key KEY -i film.mp4 -c copy`)",
    ),
    Case(
        "encrypted transport stream (SAMPLE-AES)",
        "aes.ts",
        sample_aes,
        refused="video stream 0 is encrypted (SAMPLE-AES)",
        lost="refused: its playlist names the key (`ffmpeg -i playlist.m3u8 -c copy`)",
    ),
)
