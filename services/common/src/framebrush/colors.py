"""A video's frames to images and back. Needs the extras ``framebrush[images,video]``."""

import threading

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from framebrush.images import Image
from framebrush.manifest import VideoProperties

CONVERSION = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""How swscale converts. Its default is fast and 1.6 levels too dark per round trip; this is 0.03 levels off."""

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""By the code points of ITU-T H.273, table 4."""


def matrix(video: VideoProperties) -> int:
    """The matrix that the tags name; without a tag what players assume, BT.709 from 720 lines up and BT.601 below."""
    untagged = Colorspace.ITU709 if video.height >= 720 else Colorspace.ITU601
    return _MATRICES.get(video.color_space, untagged)


def full_range(video: VideoProperties) -> int:
    """The range of the samples: full if tagged so or in a format that means it, limited otherwise."""
    full = video.color_range == ColorRange.JPEG or video.pixel_format.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG


class Converter:
    """Converts between a video's frames and images, with the same matrix and range both ways; for several threads."""

    def __init__(self, video: VideoProperties) -> None:
        self._matrix, self._range = matrix(video), full_range(video)
        self._local = threading.local()  # a reformatter keeps FFmpeg's scaling context, and serves one thread

    def _reformat(self, frame: VideoFrame, pixel_format: str, **colors: int) -> VideoFrame:
        if not hasattr(self._local, "reformatter"):
            self._local.reformatter = VideoReformatter()
        reformatter: VideoReformatter = self._local.reformatter
        return reformatter.reformat(frame, format=pixel_format, interpolation=CONVERSION, threads=1, **colors)

    def to_image(self, frame: VideoFrame) -> Image:
        """A frame as an image (H, W, 3), blue first."""
        image = self._reformat(
            frame,
            "bgr24",
            src_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=ColorRange.JPEG,
        )
        return image.to_ndarray()  # type: ignore[return-value]  # uint8, by the format

    def to_frame(self, image: Image, pixel_format: str) -> VideoFrame:
        """An image (H, W, 3), blue first, as a frame."""
        return self._reformat(
            VideoFrame.from_ndarray(image, format="bgr24"),
            pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=self._matrix,
            dst_color_range=self._range,
        )
