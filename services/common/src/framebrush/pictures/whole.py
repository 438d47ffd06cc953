"""Decodes whole pictures, the frames of a film that is a folder of them. Callers' pictures are decoded in a sandbox."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from framebrush.errors import LimitExceeded
from framebrush.pictures.picture import DAMAGE, InvalidPicture, in_channels, in_srgb, on_white

WHOLE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
LAYOUT = struct.Struct("<II?")
"""What precedes the pixels of a picture: its width, its height, and whether it had transparent pixels."""


@dataclass(frozen=True, slots=True)
class WholePicture:
    """A picture as people see it: upright, in sRGB, on white where it was transparent."""

    pixels: npt.NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    transparent: bool
    """Whether it had transparent pixels."""


def decode_whole(file: Any, max_pixels: int) -> Iterator[bytes]:
    """Yield one item for :func:`whole_of`. This is a sandbox's task; its errors are those of :func:`read_whole`."""
    found = read_whole(file, file.name, max_pixels)
    height, width = found.pixels.shape[:2]
    yield LAYOUT.pack(width, height, found.transparent) + found.pixels.tobytes()


def whole_of(item: bytes | memoryview) -> WholePicture:
    """Return a picture from what :func:`decode_whole` gave."""
    width, height, transparent = LAYOUT.unpack_from(item)
    return WholePicture(np.frombuffer(item, np.uint8, offset=LAYOUT.size).reshape(height, width, 3), transparent)


def read_whole(file: IO[bytes], name: str, max_pixels: int) -> WholePicture:
    """Return a picture. Of 16 bits the upper eight count.

    Args:
        file: A JPEG, PNG, WebP or TIFF file.
        name: The name of the file for error messages.
        max_pixels: The most pixels that a picture may have.

    Raises:
        InvalidPicture: The file is none of these, holds several pictures or numbers of a kind that no picture for the
            eye has, is damaged or cut short.
        LimitExceeded: The picture has too many pixels.
    """
    try:
        picture = Image.open(file, formats=WHOLE_FORMATS)
    except UnidentifiedImageError:
        raise InvalidPicture(
            f"{name} cannot be read: a JPEG, PNG, WebP or TIFF file of a usual kind is needed"
        ) from None
    except DAMAGE as error:
        raise InvalidPicture(f"{name} is a damaged picture: {error}") from None
    width, height = picture.size
    if width * height > max_pixels:
        raise LimitExceeded(f"{name}: {width}x{height} pixels are more than {max_pixels}")
    try:
        if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
            raise InvalidPicture(f"{name} holds several pictures: a folder has a file for each")
        if picture.mode == "F" or picture.mode == "I":
            raise InvalidPicture(f"{name} has numbers of 32 bits: save it with 8 or 16 bits")
        picture.load()
        profile = picture.info.get("icc_profile")
        turned = in_channels(ImageOps.exif_transpose(picture))
        pixels = np.asarray(on_white(in_srgb(turned, profile)), np.uint8)
        transparent = "A" in turned.getbands() and turned.getchannel("A").getextrema()[0] < 255  # type: ignore[operator]
    except DAMAGE as error:
        raise InvalidPicture(f"{name} is a damaged picture: {error}") from None
    return WholePicture(pixels, transparent)
