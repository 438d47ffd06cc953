"""Frames to JPEG, JPEG to packs."""

import threading
from collections.abc import Iterable, Iterator

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

from framebrush.colors import CONVERSION, full_range, matrix
from framebrush.documents import FrameRange
from framebrush.errors import InvalidVideo
from framebrush.images import encode_jpeg
from framebrush.manifest import VideoProperties
from framebrush.packs import PackWriter


class JpegEncoder:
    """Turns decoded frames into JPEG; may be called by several threads."""

    def __init__(self, video: VideoProperties, quality: int) -> None:
        self._video, self._quality = video, quality
        self._matrix, self._range = matrix(video), full_range(video)
        self._local = threading.local()  # a reformatter keeps FFmpeg's scaling context, and serves one thread

    def __call__(self, frame: VideoFrame) -> bytes:
        """One frame as JPEG.

        Raises:
            InvalidVideo: the frame has another size than the video.
        """
        if (frame.width, frame.height) != (self._video.width, self._video.height):
            raise InvalidVideo(
                f"the frame size changes from {self._video.width}x{self._video.height} to {frame.width}x{frame.height}"
            )
        if not hasattr(self._local, "reformatter"):
            self._local.reformatter = VideoReformatter()
        image = self._local.reformatter.reformat(
            frame,
            format="bgr24",
            src_colorspace=self._matrix,
            src_color_range=self._range,
            dst_color_range=ColorRange.JPEG,
            interpolation=CONVERSION,
            threads=1,
        )
        return encode_jpeg(image.to_ndarray(), self._quality)


def fill_packs(images: Iterable[bytes], size: int) -> Iterator[tuple[FrameRange, PackWriter]]:
    """Packs of ``size`` frames, the last with what is left."""
    pack, first = PackWriter(), 0
    for index, image in enumerate(images):
        if index - first == size:
            yield FrameRange(first=first, count=size), pack
            pack, first = PackWriter(), index
        pack.add_frame(index, image)
    if len(pack.offsets) > 1:
        yield FrameRange(first=first, count=len(pack.offsets) - 1), pack
