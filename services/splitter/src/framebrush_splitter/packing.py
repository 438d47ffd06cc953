"""Frames to images, images to packs."""

from collections.abc import Iterable, Iterator

from framebrush.contracts import FrameRange, Options, VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media import Converter, PackWriter, encode_image
from framebrush_splitter.decode import Picture


class FrameEncoder:
    """Turns decoded frames into JPEG or PNG, as the run says; may be called by several threads."""

    def __init__(self, video: VideoProperties, options: Options) -> None:
        self._video, self._codec, self._quality = video, options.pack_codec, options.jpeg_quality
        self._converter = Converter(video)

    def __call__(self, picture: Picture) -> bytes:
        """One frame as an image; nothing where it could not be decoded: the run's policy for bad frames applies.

        Raises:
            InvalidVideo: the frame has another size than the video.
        """
        frame = picture.frame
        if frame is None:
            return b""
        if (frame.width, frame.height) != (self._video.width, self._video.height):
            raise InvalidVideo(
                f"the frame size changes from {self._video.width}x{self._video.height} to {frame.width}x{frame.height}"
            )
        return encode_image(self._converter.to_image(frame), self._codec, self._quality)


def fill_packs(images: Iterable[bytes], size: int, codec: str) -> Iterator[tuple[FrameRange, PackWriter]]:
    """Packs of ``size`` frames, the last with what is left."""
    pack, first = PackWriter(codec), 0
    for index, image in enumerate(images):
        if index - first == size:
            yield FrameRange(first=first, count=size), pack
            pack, first = PackWriter(codec), index
        pack.add_frame(index, image)
    if len(pack.offsets) > 1:
        yield FrameRange(first=first, count=len(pack.offsets) - 1), pack
