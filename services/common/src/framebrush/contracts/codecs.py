"""What a run can write: codecs, their encoders, and the containers that carry them. Tables; FFmpeg is not needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""Containers, by the extension of the output's name: FFmpeg's name of each."""
CONTAINERS: dict[str, tuple[str, ...]] = {
    "h264": (".mp4", ".m4v", ".mov", ".mkv"),
    "h265": (".mp4", ".m4v", ".mov", ".mkv"),
    "av1": (".mp4", ".m4v", ".webm", ".mkv"),
    "vp9": (".webm", ".mp4", ".m4v", ".mkv"),
    "prores": (".mov", ".mkv"),
    "ffv1": (".mkv",),
}
"""What carries a codec, the customary first."""
HALVED = {"yuv420p": (2, 2), "yuv422p": (2, 1), "yuv444p": (1, 1), "rgb": (1, 1)}
"""Pixels that share their chroma: columns and rows."""
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
PRESETS: tuple[str, ...] = get_args(Preset)
SMALL = 640 * 360
X26X = {preset: {"preset": preset} for preset in PRESETS}


def _scale(name: str, values: str) -> dict[str, dict[str, str]]:
    """An encoder's own scale of presets, from the fastest to the slowest."""
    return {preset: {name: value} for preset, value in zip(PRESETS, values.split(), strict=True)}


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders, and how it is told what a run wants."""

    codec: str
    name: str
    """FFmpeg's."""
    formats: Mapping[tuple[str, int], str]
    """FFmpeg's pixel formats, by colours and bits; the first that the input's size allows is what ``auto`` means."""
    by: str = "software"
    crf: int | None = None
    """The constant rate factor when none is asked for; None if the encoder has neither that nor a bitrate."""
    most_crf: int = 51
    quality: str = "crf"
    """The option that is the constant rate factor."""
    lossless: Mapping[str, str] | None = None
    """Options for it; None if the encoder cannot."""
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Options that it always has."""
    small: Mapping[str, str] = field(default_factory=dict)
    """Options for pictures of less than ``SMALL`` pixels."""
    even: bool = False
    """Whether pixels that share their chroma must come in whole groups."""
    least: int = 1
    most: int = 16384
    """Of width and of height."""
    named: bool = False
    """Whether its packets always name a matrix."""
    tag: str = ""
    """The stream's FourCC in MP4 and QuickTime, where it is not FFmpeg's choice; in Matroska, too, if it has to be."""
    segment: str = "nut"
    """The container of encoded segments. NUT keeps any time base, and all codecs but one."""

    def takes(self, colors: str, width: int, height: int) -> bool:
        """Whether it can encode this size, in pixels."""
        columns, rows = HALVED[colors] if self.even else (1, 1)
        fits = self.least <= min(width, height) and max(width, height) <= self.most
        return fits and width % columns == 0 and height % rows == 0


def _formats(*colors: str, bits: tuple[int, ...] = (8,)) -> dict[tuple[str, int], str]:
    return {(name, depth): name + ("10le" if depth == 10 else "") for depth in bits for name in colors}


YUV = ("yuv420p", "yuv444p", "yuv422p")
NVENC = _scale("preset", "p1 p1 p2 p3 p3 p4 p5 p6 p7")
X265 = {"x265-params": "log-level=error"}  # it writes to stderr by itself

NO_MBTREE = {"x264-params": "mbtree=0"}
"""With AVX-512 x264's macroblock tree reads memory that it did not write when frames are small (seen with x264 165 from
64x48 to 480x270), and the same frames give other bytes every time."""

ENCODERS = (
    Encoder(
        "h264", "libx264", _formats(*YUV, bits=(8, 10)), crf=20, lossless={"qp": "0"}, presets=X26X, small=NO_MBTREE,
        even=True,
    ),
    Encoder(
        "h264", "libx264rgb", {("rgb", 8): "bgr24"}, crf=20, lossless={"qp": "0"}, presets=X26X, small=NO_MBTREE,
    ),
    Encoder(
        "h265", "libx265", _formats(*YUV, bits=(8, 10)) | {("rgb", 8): "gbrp"}, crf=22, presets=X26X, fixed=X265,
        lossless={"x265-params": "log-level=error:lossless=1"}, even=True, least=16, most=8192, tag="hvc1",
    ),
    # Below 64 pixels SVT-AV1 4.1 keeps to no bitrate; below 32 it may never come back.
    Encoder(
        "av1", "libsvtav1", _formats("yuv420p", bits=(8, 10)), crf=28, most_crf=63,
        presets=_scale("preset", "9 9 9 8 8 7 6 4 2"), least=64, most=8192,
    ),
    Encoder(
        "vp9", "libvpx-vp9", _formats(*YUV) | {("rgb", 8): "gbrp"}, crf=28, most_crf=63, lossless={"lossless": "1"},
        presets=_scale("cpu-used", "8 7 6 5 4 3 2 1 0"), fixed={"row-mt": "1"},
    ),
    Encoder(
        "prores", "prores_ks", {("yuv422p", 10): "yuv422p10le"}, fixed={"profile": "hq"}, tag="apch", named=True,
        segment="mov",
    ),
    Encoder(
        "prores", "prores_ks", {("yuv444p", 10): "yuv444p10le"}, fixed={"profile": "4444"}, tag="ap4h", named=True,
        segment="mov",
    ),
    Encoder(
        "ffv1", "ffv1", {("rgb", 8): "bgr0"} | _formats(*YUV, bits=(8, 10)), lossless={}, fixed={"level": "3"},
    ),
    Encoder(
        "h264", "h264_nvenc", _formats("yuv420p", "yuv444p"), "nvenc", crf=23, quality="cq", presets=NVENC,
        fixed={"rc": "vbr"}, even=True, least=160, most=4096,
    ),
    Encoder(
        "h265", "hevc_nvenc", {("yuv420p", 8): "yuv420p", ("yuv444p", 8): "yuv444p", ("yuv420p", 10): "p010le"},
        "nvenc", crf=25, quality="cq", presets=NVENC, fixed={"rc": "vbr"}, even=True, least=160, most=8192, tag="hvc1",
    ),
    Encoder(
        "av1", "av1_nvenc", {("yuv420p", 8): "yuv420p", ("yuv420p", 10): "p010le"}, "nvenc", crf=30, most_crf=63,
        quality="cq", presets=NVENC, fixed={"rc": "vbr"}, even=True, least=160, most=8192,
    ),
)  # fmt: skip
