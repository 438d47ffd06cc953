"""Encodes arrays as images, and decodes them. It needs the extra ``framebrush[images]``."""

import cv2
import numpy as np
import numpy.typing as npt

from framebrush.errors import PermanentError

BgrImage = npt.NDArray[np.uint8]
"""An image (height, width, 3) of uint8, blue first, as OpenCV has it."""

cv2.setNumThreads(1)  # The services run a thread per frame; OpenCV's own pool would only compete with them.


class InvalidImage(PermanentError):
    """The bytes are no image, or an image of another size than expected."""

    reason = "invalid_image"


def encode_jpeg(image: BgrImage, quality: int) -> bytes:
    """Return an image as JPEG without chroma subsampling, so that colours come back within JPEG's rounding."""
    parameters = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    return _encode(".jpg", image, parameters)


def encode_png(image: BgrImage) -> bytes:
    """Return an image as PNG, as fast as that can be: without the search for repetitions, which frames have few of."""
    parameters = [
        cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP,
        cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    ]  # fmt: skip
    return _encode(".png", image, parameters)


def encode_image(image: BgrImage, codec: str, quality: int) -> bytes:
    """Return an image encoded with a run's ``pack_codec``; ``quality``, 1..100, is that of JPEG."""
    return encode_png(image) if codec == "png" else encode_jpeg(image, quality)


def _encode(extension: str, image: BgrImage, parameters: list[int]) -> bytes:
    done, data = cv2.imencode(extension, image, parameters)
    if not done:
        raise InvalidImage(f"cannot encode an image of {image.shape}")
    return data.tobytes()


def decode_image(data: bytes, height: int, width: int) -> BgrImage:
    """Decode JPEG or PNG to an image (height, width, 3).

    Raises:
        InvalidImage: The bytes are no image, or an image of another size.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise InvalidImage(f"not an image ({len(data)} bytes)")
    if image.shape != (height, width, 3):
        raise InvalidImage(f"expected {width}x{height}, got {image.shape[1]}x{image.shape[0]}")
    return image  # type: ignore[return-value]  # OpenCV's stubs leave the dtype open
