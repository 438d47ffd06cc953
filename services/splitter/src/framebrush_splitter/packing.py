"""Turns frames into images, and images into packs."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from framebrush.contracts import FrameRange, Options, VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media import Converter, PackWriter, encode_image, quoted
from framebrush_splitter.presentation import DecodedFrame
from framebrush_splitter.sizes import size_change


class FrameEncoder:
    """Turns decoded frames into JPEG or PNG images, as the run asks. Several threads may call it at the same time."""

    def __init__(self, video: VideoProperties, options: Options, name: str) -> None:
        self._name, self._video, self._codec, self._quality = name, video, options.pack_codec, options.jpeg_quality
        self._strict = options.bad_frames == "fail"
        self._converter = Converter(video)

    def __call__(self, decoded: DecodedFrame) -> bytes:
        """Return a frame as an image, empty if the frame could not be decoded and the run goes on without it.

        Raises:
            InvalidVideo: The frame could not be decoded and the run's policy is to fail, or it has another size than
                the video.
        """
        frame = decoded.frame
        if frame is None and self._strict:
            seconds = float(decoded.time * Fraction(*self._video.time_base))
            raise InvalidVideo(
                f"the frame at {seconds:.3f} s is damaged; to show the one before it in its place: "
                f"framebrush submit {quoted(self._name)} --bad-frames hold_previous"
            )
        if frame is None:
            return b""
        if (frame.width, frame.height) != (self._video.width, self._video.height):
            raise size_change(self._name, (self._video.width, self._video.height), (frame.width, frame.height))
        return encode_image(self._converter.to_image(frame), self._codec, self._quality)


def fill_packs(
    images: Iterable[bytes], size: int, codec: str, first: int = 0
) -> Iterator[tuple[FrameRange, PackWriter]]:
    """Yield packs of ``size`` frames, and the frames in them; the last pack holds the frames that are left.

    Args:
        images: The frames as images.
        size: The number of frames of a pack.
        codec: The run's ``pack_codec``.
        first: The number of the first frame in its segment.
    """
    pack = PackWriter(codec)
    for index, image in enumerate(images, first):
        if index - first == size:
            yield FrameRange(first=first, count=size), pack
            pack, first = PackWriter(codec), index
        pack.add_frame(index, image)
    if len(pack.offsets) > 1:
        yield FrameRange(first=first, count=len(pack.offsets) - 1), pack
