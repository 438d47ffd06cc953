"""A segment's styled frames, in order, out of its packs."""

from collections.abc import Iterator, Sequence

from framebrush.documents import BlobRef
from framebrush.errors import PermanentError
from framebrush.images import Image, InvalidImage, decode_jpeg
from framebrush.manifest import FrameFailure, VideoProperties
from framebrush.packs import read_pack
from framebrush.parallel import ordered_map
from framebrush.store import Store


class NoFrames(PermanentError):
    """Not one frame of a segment could be scored: there is nothing to hold."""

    reason = "no_frames"


class StyledFrames:
    """Iterates over a segment's images, one pack in memory and one on its way.

    A frame that is not in its pack repeats the one before it; at the beginning, the first one that there is.
    """

    def __init__(
        self, store: Store, packs: Sequence[BlobRef], count: int, video: VideoProperties, threads: int
    ) -> None:
        self._store, self._packs, self._count, self._video, self._threads = store, packs, count, video, threads
        self.failures: dict[int, FrameFailure] = {}
        """Frames that are not styled, and why; complete after the iteration."""

    def __iter__(self) -> Iterator[Image]:
        """Images (H, W, 3), blue first, as many as the segment has frames.

        Raises:
            NoFrames: the segment has none.
        """
        due, held = 0, None
        for index, image in ordered_map(self._decode, self._jpegs(), self._threads):
            if image is None:
                continue
            held = image if held is None else held
            for _ in range(due, index):
                yield held
            yield image
            due, held = index + 1, image
        if held is None:
            raise NoFrames(f"none of {self._count} frames could be scored")
        for _ in range(due, self._count):
            yield held

    def _jpegs(self) -> Iterator[tuple[int, bytes]]:
        for data in ordered_map(self._store.read, self._packs, threads=1):
            frames, failures = read_pack(data)
            self.failures.update((failure.frame, failure) for failure in failures)
            yield from sorted(frames.items())

    def _decode(self, item: tuple[int, bytes]) -> tuple[int, Image | None]:
        index, data = item
        try:
            return index, decode_jpeg(data, self._video.height, self._video.width)
        except InvalidImage as error:
            self.failures.setdefault(index, FrameFailure(frame=index, error=str(error)))
            return index, None
