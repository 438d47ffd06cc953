"""Reads a chunk's styled frames, in order, out of its packs."""

from collections.abc import Iterator, Sequence

from av.video.frame import VideoFrame

from framebrush.contracts import BlobRef, FrameFailure, FrameRange, VideoProperties
from framebrush.errors import PermanentError
from framebrush.media import Converter, InvalidImage, decode_image, read_pack
from framebrush.service import ordered_map
from framebrush.storage import Store


class NoFrames(PermanentError):
    """No frame of a chunk could be scored, so that there is nothing to show in their place."""

    reason = "no_frames"


class FrameDecoder:
    """Turns images into frames for the encoder. Several threads may call it."""

    def __init__(self, video: VideoProperties, pixel_format: str) -> None:
        self._video, self._format, self._converter = video, pixel_format, Converter(video)

    def __call__(self, data: bytes) -> VideoFrame:
        """Return the frame of an encoded image.

        Raises:
            InvalidImage: The bytes are no image, or an image of another size than the video.
        """
        image = decode_image(data, self._video.height, self._video.width)
        return self._converter.to_frame(image, self._format)


class StyledFrames:
    """Iterates over a chunk's frames, with a few frames and a few packs in memory.

    Where a frame is not in its pack, the frame before it is repeated; at the beginning, the first frame that exists.
    """

    def __init__(
        self, store: Store, packs: Sequence[BlobRef], chunk: FrameRange, decoder: FrameDecoder, threads: int
    ) -> None:
        self._store, self._packs, self._chunk, self._decoder, self._threads = store, packs, chunk, decoder, threads
        self.failures: dict[int, FrameFailure] = {}
        """The frames that are not styled, by index, with the reasons. They are complete after the iteration."""

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield as many frames as the chunk has. A repeated frame is the same object again.

        Raises:
            NoFrames: The chunk has no frame that could be scored.
        """
        due, held = self._chunk.first, None
        for index, frame in ordered_map(self._decode, self._images(), self._threads):
            if frame is None:
                continue
            held = frame if held is None else held
            for _ in range(due, index):
                yield held
            yield frame
            due, held = index + 1, frame
        if held is None:
            raise NoFrames(f"none of {self._chunk.count} frames could be scored")
        for _ in range(due, self._chunk.stop):
            yield held

    def _images(self) -> Iterator[tuple[int, bytes]]:
        for data in ordered_map(self._store.read, self._packs, threads=1):
            frames, failures = read_pack(data)
            self.failures.update((failure.frame, failure) for failure in failures)
            yield from sorted(frames.items())

    def _decode(self, item: tuple[int, bytes]) -> tuple[int, VideoFrame | None]:
        index, data = item
        try:
            return index, self._decoder(data)
        except InvalidImage as error:
            self.failures.setdefault(index, FrameFailure(frame=index, error=str(error)))
            return index, None
