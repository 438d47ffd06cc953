"""Colours against computations of their own, from the definitions in the standards and not by FFmpeg."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from support.pipeline import Pipeline

from framebrush.contracts import VideoProperties
from framebrush.media import HLG, PQ, Converter, styled, to_bt709
from framebrush.media.colors import full_range, matrix

Floats = npt.NDArray[np.float64]
BAR = 16
"""Width and height of a bar in pixels."""
MATRICES = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
"""Kr and Kb by code point: BT.601, BT.709, BT.2020."""
FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv444p12le")
PAGE = Path(__file__).parents[3] / "docs" / "video.md"


def bars() -> Floats:
    """Colour bars as RGB 0..1 (H, W, 3): full, of 75 % and of 25 %, and steps of gray."""
    corners = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]], float)
    grays = np.repeat(np.linspace(0, 1, 8)[:, None], 3, axis=1)
    rows = np.stack([corners, corners * 0.75, corners * 0.5 + 0.25, grays])
    return rows.repeat(BAR, axis=0).repeat(BAR, axis=1)


def inside() -> npt.NDArray[np.bool_]:
    """Pixels that no neighbour's chroma reaches."""
    part = np.zeros(BAR, bool)
    part[4:-4] = True
    return np.outer(np.tile(part, 4), np.tile(part, 8))


def to_yuv(rgb: Floats, space: int, full: bool, bits: int) -> Floats:
    """Codes by ITU-R BT.601, BT.709 and BT.2020: not rounded."""
    kr, kb = MATRICES[space]
    y = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    u, v = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
    scale = 2 ** (bits - 8)
    if full:
        return np.stack([y * (2**bits - 1), u * (2**bits - 1) + 128 * scale, v * (2**bits - 1) + 128 * scale], -1)
    return np.stack([219 * y + 16, 224 * u + 128, 224 * v + 128], -1) * scale


def to_rgb(yuv: Floats, space: int, full: bool, bits: int) -> Floats:
    """The inverse of :func:`to_yuv`, 0..1 and not clipped."""
    kr, kb = MATRICES[space]
    scale = 2 ** (bits - 8)
    y = yuv[..., 0] / (2**bits - 1) if full else (yuv[..., 0] / scale - 16) / 219
    u, v = ((yuv[..., k] - 128 * scale) / ((2**bits - 1) if full else 224 * scale) for k in (1, 2))
    red, blue = y + (2 - 2 * kr) * v, y + (2 - 2 * kb) * u
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], -1)


def layout(name: str) -> tuple[int, int, int]:
    """Bits, and the divisors of chroma in x and y."""
    bits = int(name.partition("p")[2].removesuffix("le") or 8)
    return bits, *{"0": (2, 2), "2": (2, 1), "4": (1, 1)}[name[5]]


def write(yuv: Floats, name: str) -> av.VideoFrame:
    """A frame of codes given for every pixel."""
    bits, x, y = layout(name)
    frame = av.VideoFrame(yuv.shape[1], yuv.shape[0], name)
    for number, plane in enumerate(frame.planes):
        part = yuv[..., number] if number == 0 else yuv[::y, ::x, number]
        codes = np.rint(np.clip(part, 0, 2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : codes.shape[1] * codes.itemsize] = codes.view(np.uint8).reshape(codes.shape[0], -1)
        plane.update(padded.tobytes())
    return frame


def read(frame: av.VideoFrame) -> Floats:
    """A frame's codes for every pixel; chroma is repeated."""
    bits, x, y = layout(frame.format.name.replace("yuvj", "yuv"))
    planes = list[Any]()
    for number, plane in enumerate(frame.planes):
        data = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        codes = data.view(np.uint8 if bits == 8 else np.uint16)[:, : plane.width].astype(float)
        planes.append(codes if number == 0 else codes.repeat(y, axis=0).repeat(x, axis=1))
    return np.stack(planes, -1)


def properties(name: str, space: int, full: bool, transfer: int = 1) -> VideoProperties:
    height, width = bars().shape[:2]
    return VideoProperties(
        stream=0, codec="ffv1", width=width, height=height, pixel_format=name, time_base=(1, 25), frame_rate=None,
        sample_aspect_ratio=None, rotation=None, color_range=2 if full else 1, color_primaries=1, color_trc=transfer,
        color_space=space,
    )  # fmt: skip


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("space", MATRICES)
@pytest.mark.parametrize("name", FORMATS)
def test_conversion_to_rgb_and_back(name: str, space: int, full: bool) -> None:
    converter, rgb = Converter(properties(name, space, full)), bars()
    bits = layout(name)[0]
    codes = to_yuv(rgb, space, full, bits)
    image = converter.to_image(write(codes, name))[..., ::-1]
    exact = 255 * np.clip(to_rgb(np.rint(codes), space, full, bits), 0, 1)
    assert np.abs(image - exact)[inside()].max() <= 1.1
    back = read(converter.to_frame(np.ascontiguousarray(np.rint(rgb * 255).astype(np.uint8)[..., ::-1]), name))
    wanted = to_yuv(np.rint(rgb * 255) / 255, space, full, bits)
    assert np.abs(back - wanted)[inside()].max() <= 1.1 * 2 ** (bits - 8)


def film(path: Path, name: str, space: int, full: bool, transfer: int = 1) -> bytes:
    """Bars in FFV1, which loses nothing."""
    codes = to_yuv(bars(), space, full, layout(name)[0])
    with av.open(str(path / "bars.mkv"), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = codes.shape[1], codes.shape[0], name
        context = stream.codec_context
        context.colorspace, context.color_trc, context.color_range = space, transfer, 2 if full else 1
        context.color_primaries = 9 if space == 9 else 1
        for number in range(3):
            frame = write(codes, name)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return (path / "bars.mkv").read_bytes()


def through(data: bytes, **options: Any) -> av.VideoFrame:
    """The second frame of what the four services make of a film."""
    pipeline = Pipeline()
    pipeline.submit(pipeline.put("bars.mkv", data), crf=1, preset="ultrafast", **options)
    assert pipeline.run().error is None
    with av.open(io.BytesIO(pipeline.output())) as container:
        return list(container.decode(video=0))[1]


def errors() -> dict[tuple[str, int, bool], float]:
    """What the page states: the largest error of any channel by format, matrix and range, in levels of 255."""
    stated = dict[tuple[str, int, bool], float]()
    for line in PAGE.read_text().split("## Colours", 1)[1].split("\n## ", 1)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].strip("`") in FORMATS:
            columns = [(space, full) for space in MATRICES for full in (False, True)]
            stated |= {(cells[0].strip("`"), *key): float(cell) for key, cell in zip(columns, cells[1:], strict=True)}
    return stated


def measured(path: Path, name: str, space: int, full: bool) -> float:
    frame = through(film(path, name, space, full))
    assert (frame.colorspace, frame.color_range) == (space, 2 if full else 1)
    rgb = np.clip(to_rgb(read(frame), space, full, 8), 0, 1)
    return float(np.abs(255 * (rgb - bars()))[inside()].max())


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("space", MATRICES)
@pytest.mark.parametrize("name", FORMATS)
def test_bars_through_the_services(tmp_path: Path, name: str, space: int, full: bool) -> None:
    assert measured(tmp_path, name, space, full) <= errors()[name, space, full]


def tone_map(signal: Floats, transfer: int) -> Floats:
    """One colour of R'G'B' 0..1 in BT.2020 to one of BT.709, step by step in floating point."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875

    def eotf(e: Any) -> Any:
        p = np.asarray(e) ** (1 / m2)
        return 10000 * (np.maximum(p - c1, 0) / (c2 - c3 * p)) ** (1 / m1)

    def inverse(light: Any) -> Any:
        p = (np.asarray(light) / 10000) ** m1
        return ((c1 + c2 * p) / (1 + c3 * p)) ** m2

    if transfer == PQ:
        light = eotf(signal)
    else:
        a, b, c = 0.17883277, 1 - 4 * 0.17883277, 0.5 - 0.17883277 * np.log(4 * 0.17883277)
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        light = 1000 * scene * (scene @ [0.2627, 0.6780, 0.0593]) ** 0.2
    top = min(float(light.max()), 1000.0)
    if top <= 0:
        return np.zeros(3)
    e1, target = float(inverse(top) / inverse(1000.0)), float(inverse(203.0) / inverse(1000.0))
    knee = 1.5 * target - 0.5
    t = (e1 - knee) / (1 - knee)
    e2 = e1
    if e1 >= knee:
        e2 = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    light = light * float(eotf(e2 * inverse(1000.0))) / top
    matrix = np.array([[1.660491, -0.587641, -0.07285], [-0.12455, 1.1329, -0.008349], [-0.018151, -0.100579, 1.11873]])
    return np.clip(matrix @ light / 203, 0, 1) ** (1 / 2.4)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_tone_mapping(transfer: int) -> None:
    colours = np.random.default_rng(3).uniform(0, 0.75 if transfer == PQ else 1, (300, 3))
    colours = np.concatenate([colours, np.repeat(np.linspace(0, 1, 60)[:, None], 3, axis=1)])
    codes = np.rint(colours * 65535).astype(np.uint16)
    found = to_bt709(codes[:, None], transfer)[:, 0, ::-1]
    wanted = np.array([255 * tone_map(code / 65535, transfer) for code in codes])
    assert np.abs(found - wanted).max() <= 1.5
    grays = found[300:].astype(int)
    assert (np.diff(grays[:, 0]) >= 0).all() and np.ptp(grays, axis=1).max() <= 1, "in order, and still gray"
    assert grays[-1, 0] == 255 and grays[0, 0] == 0


@pytest.mark.parametrize("name", [name for name in FORMATS if name.endswith("le")])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_through_the_services(tmp_path: Path, transfer: int, name: str) -> None:
    frame = through(film(tmp_path, name, 9, full=False, transfer=transfer))
    assert (frame.colorspace, frame.color_trc, frame.color_primaries, frame.color_range) == (1, 1, 1, 1)
    found = np.clip(to_rgb(read(frame), 1, False, 8), 0, 1)[BAR // 2 :: BAR, BAR // 2 :: BAR]
    bright = bars()[BAR // 2 :: BAR, BAR // 2 :: BAR]
    wanted = np.array([[tone_map(colour, transfer) for colour in row] for row in bright])
    assert np.abs(255 * (found - wanted)).max() <= 6


def test_rgb_is_tagged_with_the_matrix_that_is_used() -> None:
    small = properties("gbrp", 0, full=True)
    assert styled(small, "yuv420p").color_space == 6
    assert styled(small.model_copy(update={"height": 720}), "yuv420p").color_space == 1
    assert styled(properties("yuv420p", 2, full=False), "yuv420p").color_space == 2
    assert styled(small, "gbrp").color_space == 0


@pytest.mark.parametrize(("width", "height"), [(64, 48), (66, 50), (1280, 720), (63, 47)])
@pytest.mark.parametrize("pixel_format", [*FORMATS, "yuvj420p", "nv12", "yuv410p", "gray", "rgb24", "rgb555le", "pal8"])
def test_images_are_those_of_the_direct_conversion(pixel_format: str, width: int, height: int) -> None:
    """Whichever way is faster is taken; the values are those of swscale's own bgr24."""
    generator = np.random.default_rng(0)
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        plane.update(generator.integers(0, 256, plane.buffer_size, dtype=np.uint8).tobytes())
    for space, full in ((1, 1), (6, 2)):
        video = VideoProperties(
            stream=0, codec="h264", width=width, height=height, pixel_format=pixel_format, time_base=(1, 25),
            frame_rate=None, sample_aspect_ratio=None, rotation=None, color_range=full, color_primaries=2,
            color_trc=2, color_space=space,
        )  # fmt: skip
        converter = Converter(video)
        direct = converter._reformat(
            frame, "bgr24", src_colorspace=matrix(video), src_color_range=full_range(video), dst_color_range=2
        ).to_ndarray()
        assert np.array_equal(converter.to_image(frame), direct)
