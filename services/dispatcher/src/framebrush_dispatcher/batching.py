"""Cuts packs into score batches."""

from collections.abc import Iterator

from framebrush.contracts import BatchReady, FrameRange, PackReady


def batches(pack: PackReady, size: int) -> Iterator[BatchReady]:
    """Cut a pack into batches of ``size`` frames, and yield them. The last one has the frames that are left.

    Each batch is a range of bytes of the pack.
    """
    for begin in range(0, pack.frames.count, size):
        count = min(size, pack.frames.count - begin)
        start, stop = pack.offsets[begin], pack.offsets[begin + count]
        yield BatchReady(
            run_id=pack.run_id,
            generation=pack.generation,
            segment=pack.segment,
            frames=FrameRange(first=pack.frames.first + begin, count=count),
            pack=pack.frames,
            start=start,
            length=stop - start,
        )
