"""Decodes style pictures. Callers' pictures are decoded in a sandbox only."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from framebrush.errors import LimitExceeded, PermanentError

PictureSquare = npt.NDArray[np.uint8]
"""The middle square of a picture, RGB, uint8 (EDGE, EDGE, 3)."""

EDGE = 256
"""The edge in pixels of what the network looks at."""

SMALLEST = 32
"""The least edge in pixels of a picture. There is no style in fewer pixels."""

ORIENTATION, SIDEWAYS = ExifTags.Base.Orientation, (5, 6, 7, 8)
"""The EXIF tag that says how a picture is to be turned, and its values by which width and height change places."""

FORMATS = ("JPEG", "PNG", "WEBP")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises at files that are damaged."""

Image.MAX_IMAGE_PIXELS = None  # The limit is that of the caller.


class InvalidPicture(PermanentError):
    """A style picture cannot be read, or is too small."""

    reason = "invalid_picture"


LAYOUT = struct.Struct("<II")
"""What precedes the pixels of a square: the width and the height of its picture."""


def decode_square(file: Any, max_pixels: int) -> Iterator[bytes]:
    """Yield one item for :func:`square_of`. This is a sandbox's task; its errors are those of :func:`read_square`."""
    size, square = read_square(file, file.name, max_pixels)
    yield LAYOUT.pack(*size) + square.tobytes()


def square_of(item: bytes | memoryview) -> tuple[tuple[int, int], PictureSquare]:
    """Return the size of a picture, (width, height), and its middle square, from what :func:`decode_square` gave."""
    width, height = LAYOUT.unpack_from(item)
    return (width, height), np.frombuffer(item, np.uint8, offset=LAYOUT.size).reshape(EDGE, EDGE, 3).copy()


def read_square(file: IO[bytes], name: str, max_pixels: int) -> tuple[tuple[int, int], PictureSquare]:
    """Return the size of a picture, (width, height) as people see it, and its middle square.

    The square is upright, in sRGB, on white where the picture is transparent. Of an animation it is the first frame.

    Args:
        file: A JPEG, PNG or WebP file of any colour model and depth.
        name: The name of the file for error messages.
        max_pixels: The most pixels that a picture may have.

    Raises:
        InvalidPicture: The file is none of these, is damaged or cut short, or has fewer pixels than a style needs.
        LimitExceeded: The picture has too many pixels.
    """
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise InvalidPicture(f"{name} is no picture: a JPEG, PNG or WebP file is needed") from None
    except DAMAGE as error:
        raise InvalidPicture(f"{name} is a damaged picture: {error}") from None
    width, height = picture.size
    if width * height > max_pixels:
        raise LimitExceeded.of(f"{name}: {width}x{height} pixels are more", str(max_pixels), "MAX_PICTURE_PIXELS")
    if min(width, height) < SMALLEST:
        raise InvalidPicture(f"{name}: {width}x{height} pixels are too few for a style: {SMALLEST}x{SMALLEST} at least")
    try:
        orientation = picture.getexif().get(ORIENTATION, 1)
        square = _square(picture, orientation)
    except DAMAGE as error:
        raise InvalidPicture(f"{name} is a damaged picture: {error}") from None
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return size, np.asarray(square, np.uint8)


def _square(picture: Image.Image, orientation: int) -> Image.Image:
    edge = min(picture.size)
    if picture.format == "JPEG":  # decoded at a fraction of its size, if that is still large enough
        picture.draft(picture.mode, (2 * EDGE * picture.width // edge, 2 * EDGE * picture.height // edge))
    picture.load()
    profile = picture.info.get("icc_profile")
    picture = in_channels(picture)
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    box = (left, top, left + edge, top + edge)
    square = picture.resize((EDGE, EDGE), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    square = on_white(in_srgb(square, profile))
    # The middle square stays the middle square when it is turned or mirrored.
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    square.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(square)


def in_channels(picture: Image.Image) -> Image.Image:
    """Return a picture without a palette, with a channel for what is transparent, and with eight bits."""
    if picture.mode == "P" or "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    return picture


def in_srgb(picture: Image.Image, profile: Any) -> Image.Image:
    """Return a picture with the colours that its ICC profile means, if it has one that can be read."""
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        with suppress(ImageCms.PyCMSError, *DAMAGE):
            source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
    return picture


def on_white(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, on white where it is transparent."""
    if "A" not in picture.getbands():
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
