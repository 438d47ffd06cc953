import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.errors import PermanentError
from framebrush.media import BgrImage, InvalidImage, decode_image, encode_image, encode_jpeg, encode_png


def picture(height: int, width: int) -> BgrImage:
    """Gradients in each channel, with a saturated patch: what chroma subsampling would smear."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1).astype(np.uint8)
    image[: height // 2, : width // 2 : 8] = (0, 0, 255)
    return image


def psnr(a: BgrImage, b: BgrImage) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize(("quality", "least"), [(95, 40), (80, 33)])
@pytest.mark.parametrize("size", [(120, 160), (119, 161)])
def test_jpeg_keeps_colours(size: tuple[int, int], quality: int, least: float) -> None:
    image = picture(*size)
    back = decode_image(encode_jpeg(image, quality), *size)
    assert back.dtype == np.uint8
    assert psnr(image, back) >= least


def test_chroma_is_not_subsampled() -> None:
    image = picture(120, 160)
    whole = decode_image(encode_jpeg(image, 95), 120, 160)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    subsampled = decode_image(data.tobytes(), 120, 160)
    assert psnr(image, whole) > psnr(image, subsampled) + 5


def test_the_same_image_gives_the_same_bytes() -> None:
    assert encode_jpeg(picture(64, 64), 90) == encode_jpeg(picture(64, 64), 90)


@pytest.mark.parametrize("size", [(120, 160), (119, 161), (1, 1)])
def test_png_loses_nothing(size: tuple[int, int]) -> None:
    image = picture(*size)
    image[::2] ^= np.random.default_rng(0).integers(0, 256, image[::2].shape, np.uint8)
    assert np.array_equal(decode_image(encode_image(image, "png", 1), *size), image)
    assert encode_image(image, "png", 1) == encode_png(image)


def test_another_size_is_named() -> None:
    with pytest.raises(InvalidImage, match="expected 160x120, got 64x48"):
        decode_image(encode_jpeg(picture(48, 64), 90), 120, 160)


def test_grey_images_become_three_channels() -> None:
    _, data = cv2.imencode(".jpg", np.full((16, 16), 77, np.uint8))
    assert np.abs(decode_image(data.tobytes(), 16, 16).astype(int) - 77).max() <= 1


@given(st.binary(max_size=300))
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage, match=rf"not an image \({len(data)} bytes\)"):
        decode_image(data, 16, 16)


@given(st.integers(0, 40))
def test_a_header_alone_is_no_image(length: int) -> None:
    with pytest.raises(InvalidImage):
        decode_image(encode_jpeg(picture(64, 64), 90)[:length], 64, 64)


def test_a_bad_image_is_a_permanent_error() -> None:
    assert issubclass(InvalidImage, PermanentError)
    assert InvalidImage.reason == "invalid_image"
