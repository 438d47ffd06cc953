"""Converts a video's frames to images and back. It needs the extras ``framebrush[images,video]``."""

import threading
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from framebrush.contracts import VideoProperties
from framebrush.media.hdr import HLG, PQ, to_bt709
from framebrush.media.images import BgrImage

CONVERSION = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""How swscale converts. Its default is fast, and 1.6 levels too dark per round trip; this one is 0.03 levels off."""

DEEP = "gbrp16le"
"""The pixel format to which HDR is converted. With bgr48 and FULL_CHR_H_INT swscale loses channels of 4:2:0."""

PLANAR = "gbrp"
"""The pixel format to which frames of YUV are converted whose edges are whole blocks of four. swscale writes three
planes in three quarters of the time in which it writes bgr24, OpenCV joining them included, and the values are the
same. At the last rows of other sizes, and in RGB of fewer than eight bits, they are not."""
BLOCK = 4
"""The pixels, both ways, that share a chroma sample in any pixel format, at most."""

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""The matrices of swscale by the code points of ITU-T H.273, table 4."""


def matrix(video: VideoProperties) -> int:
    """Return swscale's matrix for a video: the one that its tags name, or what players assume if they name none.

    Players assume BT.709 from 720 lines up, and BT.601 below.
    """
    untagged = Colorspace.ITU709 if video.height >= 720 else Colorspace.ITU601
    return _MATRICES.get(video.color_space, untagged)


def full_range(video: VideoProperties) -> int:
    """Return swscale's range of the samples: full if the tags or the pixel format say so, limited otherwise."""
    full = video.color_range == ColorRange.JPEG or video.pixel_format.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG


def is_hdr(video: VideoProperties) -> bool:
    """Return whether the transfer characteristic is one of high dynamic range."""
    return video.color_trc in (PQ, HLG)


def is_rgb(pixel_format: str) -> bool:
    """Return whether a pixel format of FFmpeg holds red, green and blue."""
    return pixel_format.startswith(("rgb", "bgr", "gbr"))


def styled(video: VideoProperties, pixel_format: str) -> VideoProperties:
    """Return the video with the colours of its output in ``pixel_format``: the input's colours where that is possible.

    The model sees eight bits, so that an output has no high dynamic range.
    """
    if is_hdr(video):
        video = video.model_copy(update={"color_space": 1, "color_trc": 1, "color_primaries": 1, "color_range": 1})
    if is_rgb(pixel_format):
        return video.model_copy(update={"color_space": 0, "color_range": int(ColorRange.JPEG)})
    if video.color_space == 0:  # RGB has no matrix, so the output is tagged with the one that was used.
        return named(video.model_copy(update={"color_space": 2}))
    return video


def named(video: VideoProperties) -> VideoProperties:
    """Return the video with the code of its matrix.

    A video without a tag gets the matrix that players assume. The codes 5 and 6 mean one matrix, and
    become 6.
    """
    if video.color_space in (2, 5):
        return video.model_copy(update={"color_space": 1 if matrix(video) == Colorspace.ITU709 else 6})
    return video


class Converter:
    """Converts between a video's frames and images, with one matrix and range both ways. Many threads may use it."""

    def __init__(self, video: VideoProperties) -> None:
        self._video, self._matrix, self._range = video, matrix(video), full_range(video)
        self._transfer = video.color_trc if is_hdr(video) else None
        self._local = threading.local()  # A reformatter keeps FFmpeg's scaling context, and serves one thread.

    def _reformat(self, frame: VideoFrame, pixel_format: str, **colors: int) -> VideoFrame:
        if not hasattr(self._local, "reformatter"):
            self._local.reformatter = VideoReformatter()
        reformatter: VideoReformatter = self._local.reformatter
        return reformatter.reformat(frame, format=pixel_format, interpolation=CONVERSION, threads=1, **colors)

    def _colors(self, frame: VideoFrame) -> tuple[int, int]:
        """Return the matrix and the range of a frame: the video's, unless they change in the middle and it tells."""
        code, span = int(frame.colorspace), int(frame.color_range)
        own = self._matrix if code == self._video.color_space else _MATRICES.get(code, self._matrix)
        return own, span if span in (ColorRange.MPEG, ColorRange.JPEG) else self._range

    def to_image(self, frame: VideoFrame) -> BgrImage:
        """Return a frame as an image (H, W, 3) of uint8, blue first. High dynamic range is tone-mapped to BT.709."""
        own, span = self._colors(frame)
        planar = not (frame.width % BLOCK or frame.height % BLOCK or is_rgb(frame.format.name))
        image = self._reformat(
            frame,
            DEEP if self._transfer else PLANAR if planar else "bgr24",
            src_colorspace=own,
            src_color_range=span,
            dst_color_range=ColorRange.JPEG,
        )
        if self._transfer or not planar:
            pixels: Any = image.to_ndarray()  # The format makes it uint8 or uint16.
            return to_bt709(pixels, self._transfer) if self._transfer else pixels
        green, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(image.height, plane.line_size)[:, : image.width]
            for plane in image.planes
        )
        return np.asarray(cv2.merge((blue, green, red)), np.uint8)

    def to_frame(self, image: BgrImage, pixel_format: str) -> VideoFrame:
        """Return an image (H, W, 3) of uint8, blue first, as a frame in ``pixel_format``."""
        frame = self._reformat(
            VideoFrame.from_ndarray(image, format="bgr24"),
            pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=self._matrix,
            dst_color_range=self._range,
        )
        # The encoder of ProRes takes tags from the frames, and not from its own options.
        frame.color_trc, frame.color_primaries = self._video.color_trc, self._video.color_primaries
        return frame
