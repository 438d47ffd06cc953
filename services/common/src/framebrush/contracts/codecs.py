"""Tables of what a run can write: codecs, their encoders, and the containers that carry them. They need no FFmpeg."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""The containers: the extension of an output's name, and FFmpeg's name of the format."""
CONTAINERS: dict[str, tuple[str, ...]] = {
    "h264": (".mp4", ".m4v", ".mov", ".mkv"),
    "h265": (".mp4", ".m4v", ".mov", ".mkv"),
    "av1": (".mp4", ".m4v", ".webm", ".mkv"),
    "vp9": (".webm", ".mp4", ".m4v", ".mkv"),
    "prores": (".mov", ".mkv"),
    "ffv1": (".mkv",),
}
"""The containers that carry a codec; the customary one comes first."""
SOUND_ENCODERS: dict[str, tuple[str, str | None]] = {
    "mp4": ("aac", "flac"),
    "mov": ("aac", "alac"),
    "matroska": ("aac", "flac"),
    "webm": ("libopus", None),
}
"""What converts sound for a format: FFmpeg's encoder, and the one that loses nothing, if the format carries one."""
CHROMA_BLOCKS = {"yuv420p": (2, 2), "yuv422p": (2, 1), "yuv444p": (1, 1), "rgb": (1, 1)}
"""The columns and rows of the block of pixels that share one chroma sample."""
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
PRESETS: tuple[str, ...] = get_args(Preset)
SMALL = 640 * 360
"""Frames of fewer pixels are small: some encoders need other options for them."""
X26X = {preset: {"preset": preset} for preset in PRESETS}


def _scale(name: str, values: str) -> dict[str, dict[str, str]]:
    """Return the options of each preset, for an encoder with a scale of its own from the fastest to the slowest."""
    return {preset: {name: value} for preset, value in zip(PRESETS, values.split(), strict=True)}


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders, and its options for what a run may want."""

    codec: str
    """The codec, as a run names it."""
    name: str
    """FFmpeg's name of the encoder."""
    formats: Mapping[tuple[str, int], str]
    """FFmpeg's pixel formats, by colours and bits. ``auto`` means the first one that the size of the input allows."""
    backend: str = "software"
    """What the encoder runs on: ``software`` is the CPU, ``nvenc`` a GPU of NVIDIA."""
    crf: int | None = None
    """The constant rate factor if the run names none; None if the encoder has neither a rate factor nor a bitrate."""
    max_crf: int = 51
    """The highest constant rate factor, which gives the lowest quality."""
    quality: str = "crf"
    """The name of the option for the constant rate factor."""
    lossless: Mapping[str, str] | None = None
    """The options that make the encoder lossless; None if it cannot be."""
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The options of each preset."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """The options that the encoder always has."""
    small: Mapping[str, str] = field(default_factory=dict)
    """The options for frames of fewer than ``SMALL`` pixels."""
    requires_even_size: bool = False
    """Whether width and height must hold whole blocks of pixels that share a chroma sample."""
    min_size: int = 1
    """The smallest width and height, in pixels."""
    max_size: int = 16384
    """The largest width and height, in pixels."""
    names_matrix: bool = False
    """Whether the packets of the encoder always name a colour matrix."""
    tag: str = ""
    """The FourCC of the stream in MP4 and QuickTime, and in Matroska if it needs one; empty for FFmpeg's choice."""
    segment: str = "nut"
    """The container of encoded segments. NUT keeps any time base, and carries all codecs but one."""

    def accepts(self, colors: str, width: int, height: int) -> bool:
        """Return whether the encoder can encode frames of these colours, of so many pixels in width and height."""
        columns, rows = CHROMA_BLOCKS[colors] if self.requires_even_size else (1, 1)
        fits = self.min_size <= min(width, height) and max(width, height) <= self.max_size
        return fits and width % columns == 0 and height % rows == 0


def _formats(*colors: str, bits: tuple[int, ...] = (8,)) -> dict[tuple[str, int], str]:
    return {(name, depth): name + ("10le" if depth == 10 else "") for depth in bits for name in colors}


YUV = ("yuv420p", "yuv444p", "yuv422p")
NVENC = _scale("preset", "p1 p1 p2 p3 p3 p4 p5 p6 p7")
X265 = {"x265-params": "log-level=error"}  # x265 writes to stderr by itself

NO_MBTREE = {"x264-params": "mbtree=0"}
"""With AVX-512 x264's macroblock tree reads memory that it did not write when frames are small (seen with x264 165 from
64x48 to 480x270), and the same frames give other bytes every time."""

ENCODERS = (
    Encoder(
        "h264", "libx264", _formats(*YUV, bits=(8, 10)), crf=20, lossless={"qp": "0"}, presets=X26X, small=NO_MBTREE,
        requires_even_size=True,
    ),
    Encoder(
        "h264", "libx264rgb", {("rgb", 8): "bgr24"}, crf=20, lossless={"qp": "0"}, presets=X26X, small=NO_MBTREE,
    ),
    Encoder(
        "h265", "libx265", _formats(*YUV, bits=(8, 10)) | {("rgb", 8): "gbrp"}, crf=22, presets=X26X, fixed=X265,
        lossless={"x265-params": "log-level=error:lossless=1"}, requires_even_size=True, min_size=16, max_size=8192,
        tag="hvc1",
    ),
    # Below 64 pixels SVT-AV1 4.1 keeps to no bitrate; below 32 it may never come back.
    Encoder(
        "av1", "libsvtav1", _formats("yuv420p", bits=(8, 10)), crf=28, max_crf=63,
        presets=_scale("preset", "9 9 9 8 8 7 6 4 2"), min_size=64, max_size=8192,
    ),
    Encoder(
        "vp9", "libvpx-vp9", _formats(*YUV) | {("rgb", 8): "gbrp"}, crf=28, max_crf=63, lossless={"lossless": "1"},
        presets=_scale("cpu-used", "8 7 6 5 4 3 2 1 0"), fixed={"row-mt": "1"},
    ),
    Encoder(
        "prores", "prores_ks", {("yuv422p", 10): "yuv422p10le"}, fixed={"profile": "hq"}, tag="apch", names_matrix=True,
        segment="mov",
    ),
    Encoder(
        "prores", "prores_ks", {("yuv444p", 10): "yuv444p10le"}, fixed={"profile": "4444"}, tag="ap4h",
        names_matrix=True, segment="mov",
    ),
    Encoder(
        "ffv1", "ffv1", {("rgb", 8): "bgr0"} | _formats(*YUV, bits=(8, 10)), lossless={}, fixed={"level": "3"},
    ),
    Encoder(
        "h264", "h264_nvenc", _formats("yuv420p", "yuv444p"), "nvenc", crf=23, quality="cq", presets=NVENC,
        fixed={"rc": "vbr"}, requires_even_size=True, min_size=160, max_size=4096,
    ),
    Encoder(
        "h265", "hevc_nvenc", {("yuv420p", 8): "yuv420p", ("yuv444p", 8): "yuv444p", ("yuv420p", 10): "p010le"},
        "nvenc", crf=25, quality="cq", presets=NVENC, fixed={"rc": "vbr"}, requires_even_size=True,
        min_size=160, max_size=8192, tag="hvc1",
    ),
    Encoder(
        "av1", "av1_nvenc", {("yuv420p", 8): "yuv420p", ("yuv420p", 10): "p010le"}, "nvenc", crf=30, max_crf=63,
        quality="cq", presets=NVENC, fixed={"rc": "vbr"}, requires_even_size=True, min_size=160, max_size=8192,
    ),
)  # fmt: skip
