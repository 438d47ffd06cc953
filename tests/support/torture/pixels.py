"""Cases that put colours and shapes to the test."""

from fractions import Fraction

from support.film import Film
from support.torture.case import Case
from support.torture.structure import MS

X265 = {"x265-params": "log-level=error:crf=4:pools=1:frame-threads=1"}
BT601, BT709, BT2020 = (
    {"colorspace": m, "color_trc": t, "color_primaries": p} for m, t, p in ((6, 6, 6), (1, 1, 1), (9, 14, 9))
)
PQ, HLG = BT2020 | {"color_trc": 16}, BT2020 | {"color_trc": 18}
ONE = {"sounds": ()}


def _matrix(a: int, b: int, c: int, d: int) -> tuple[int, ...]:
    return (a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30)


PIXELS = (
    Case("4:2:0, 8 bit, BT.709", "420.mp4", Film(**ONE, tags=BT709)),
    Case("4:2:2, 8 bit", "422.mp4", Film(**ONE, pixel_format="yuv422p", tags=BT709)),
    Case("4:4:4, 8 bit", "444.mp4", Film(**ONE, pixel_format="yuv444p", tags=BT709)),
    Case(
        "4:2:0, 10 bit",
        "420p10.mp4",
        Film(**ONE, codec="libx265", options=X265, pixel_format="yuv420p10le", tags=BT709),
        notes=("10 bits",),
        lost="bits beyond the eighth",
    ),
    Case(
        "4:2:2, 10 bit",
        "422p10.mp4",
        Film(**ONE, pixel_format="yuv422p10le", tags=BT709),
        notes=("10 bits",),
        lost="bits beyond the eighth",
    ),
    Case(
        "4:4:4, 12 bit",
        "444p12.mp4",
        Film(**ONE, codec="libx265", options=X265, pixel_format="yuv444p12le", tags=BT709),
        notes=("12 bits",),
        lost="bits beyond the eighth",
    ),
    Case("full range", "full.mp4", Film(**ONE, tags=BT709 | {"color_range": 2})),
    Case("BT.601", "bt601.mp4", Film(**ONE, tags=BT601)),
    Case(
        "BT.2020, 10 bit, not HDR",
        "bt2020.mp4",
        Film(**ONE, codec="libx265", options=X265, pixel_format="yuv420p10le", tags=BT2020),
        notes=("10 bits",),
        lost="bits beyond the eighth",
    ),
    Case("untagged SD", "sd.mp4", Film(**ONE)),
    Case("untagged HD", "hd.mp4", Film(**ONE, size=(1280, 720), pts=(0, 512, 1024))),
    Case(
        "PQ (HDR10)",
        "pq.mp4",
        Film(**ONE, codec="libx265", options=X265, pixel_format="yuv420p10le", tags=PQ),
        psnr=35,
        notes=("(PQ) is tone-mapped",),
        lost="range: tone-mapped to BT.709 and tagged so, as the output has 8 bits",
    ),
    Case(
        "HLG",
        "hlg.mp4",
        Film(**ONE, codec="libx265", options=X265, pixel_format="yuv420p10le", tags=HLG),
        notes=("(HLG) is tone-mapped",),
        lost="range: tone-mapped to BT.709 and tagged so, as the output has 8 bits",
    ),
    Case(
        "alpha",
        "alpha.mov",
        Film(**ONE, codec="qtrle", pixel_format="argb"),
        notes=("transparency",),
        lost="transparency: the output has no room for it",
    ),
    Case("grayscale", "gray.mkv", Film(**ONE, **MS, codec="ffv1", pixel_format="gray")),
    Case("RGB", "rgb.mkv", Film(**ONE, **MS, codec="ffv1", pixel_format="bgr0")),
    Case("pixels that are not square", "anamorphic.mp4", Film(**ONE, aspect=Fraction(64, 45))),
    Case("rotated by 90", "rotated90.mp4", Film(**ONE, matrix=_matrix(0, 1, -1, 0))),
    Case("rotated by 180", "rotated180.mp4", Film(**ONE, matrix=_matrix(-1, 0, 0, -1))),
    Case("rotated by 270", "rotated270.mp4", Film(**ONE, matrix=_matrix(0, -1, 1, 0))),
    Case("mirrored", "mirrored.mp4", Film(**ONE, matrix=_matrix(-1, 0, 0, 1))),
    Case("odd size, 319x241", "odd.mkv", Film(**ONE, **MS, size=(319, 241), codec="ffv1")),
    Case("1x1", "dot.mkv", Film(**ONE, **MS, size=(1, 1), codec="ffv1", pixel_format="yuv444p")),
    Case("16x16", "tiny.mp4", Film(**ONE, size=(16, 16))),
    Case("7680x4320", "8k.mp4", Film(**ONE, size=(7680, 4320), pts=(0,))),
)
