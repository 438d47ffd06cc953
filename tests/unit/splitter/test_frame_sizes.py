"""The sizes of the frames of AV1 and VP9, which headers tell before anything is decoded."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from support.film import Film
from support.torture.structure import RATE, SCALED, SCALED_KEYS, SMALLER

from framebrush.media import Shown
from framebrush_splitter.av1 import Av1Sizes
from framebrush_splitter.vp9 import Vp9Sizes

SIZE = (320, 240)
LOW_DELAY = {
    "preset": "10",
    "svtav1-params": "lp=1:pred-struct=1:resize-mode=4:frame-resz-events=5:frame-resz-denoms=12",
}
SCREEN = {"preset": "10", "svtav1-params": "lp=1:scm=1:superres-mode=1:superres-denom=12"}
ALT = {"crf": "20", "b": "0", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}
KEY = "10 00 0 0 1 0"
"""The beginning of a keyframe of VP9: the mark, the profile, and that it is shown."""
SYNC = f"{0x498342:024b}"
BLACK = "001 0"
"""The colours: BT.601 of limited range."""


def told(path: Path) -> list[tuple[int, int] | None]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        extradata = bytes(stream.codec_context.extradata or b"")
        sizes: Callable[[bytes], tuple[int, int] | None] = Vp9Sizes() if path.suffix == ".webm" else Av1Sizes(extradata)
        shown = Shown(stream)
        packets = ((sizes(bytes(packet)), shown(packet)) for packet in container.demux(stream) if packet.size)
        return [size for size, shows in packets if shows]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        *(("libsvtav1", options) for options in (SCALED, SCALED_KEYS, SMALLER, LOW_DELAY, SCREEN)),
        ("libvpx-vp9", ALT),
        ("libvpx-vp9", {**ALT, "error-resilient": "1"}),
    ],
)
def test_headers_tell_the_sizes_that_decoders_give(codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / ("film.webm" if codec == "libvpx-vp9" else "film.mkv")
    Film(codec=codec, size=SIZE, gop=1000, sounds=(), options=options, **RATE).write(path)
    with av.open(str(path)) as container:
        decoded = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert told(path) == decoded


def test_frames_of_vp9_may_have_the_size_of_another_one() -> None:
    sizes = Vp9Sizes()
    assert sizes(_packed("10 00 0 1 1 0 00", "00000000", "000 0" * 3, "1")) is None, "nobody knows the one before"
    assert sizes(_packed(KEY, SYNC, BLACK, _size(640, 480))) == (640, 480)
    inter = "10 00 0 1 1 0 00"
    assert sizes(_packed(inter, "00000010", "000 0" * 3, "000", _size(320, 240))) == (320, 240)
    assert sizes(_packed(inter, "00000000", "000 0" * 3, "1")) == (640, 480)
    assert sizes(_packed(inter, "00000000", "000 0 001 0 000 0", "01")) == (320, 240)
    assert sizes(_packed("10 00 1 001")) == (320, 240), "it is shown once more"
    hidden = _packed("10 00 0 1 0 0 1 00", SYNC, "00000100", _size(160, 120))
    assert sizes(hidden) is None
    again = _packed("10 00 1 010")
    index = bytes([0xC1, len(hidden), len(again), 0xC1])
    assert sizes(hidden + again + index) == (160, 120), "two frames in a packet"


def _size(width: int, height: int) -> str:
    return f"{width - 1:016b}{height - 1:016b}"


def _packed(*parts: str) -> bytes:
    bits = "".join(parts).replace(" ", "")
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big") + bytes(4)
