"""Cuts packs into score batches."""

from collections.abc import Iterator

from framebrush.contracts import BatchReady, FrameRange, PackReady
from framebrush.runs import batch_ranges


def batches(pack: PackReady, size: int) -> Iterator[BatchReady]:
    """Cut a pack into batches of ``size`` frames, and yield them. The last one has the frames that are left.

    Each batch is a range of bytes of the pack.
    """
    for each in batch_ranges(pack.frames.count, pack.frames.count, size):
        start, stop = pack.offsets[each.first], pack.offsets[each.stop]
        yield BatchReady(
            run_id=pack.run_id,
            generation=pack.generation,
            segment=pack.segment,
            frames=FrameRange(first=pack.frames.first + each.first, count=each.count),
            pack=pack.frames,
            start=start,
            length=stop - start,
        )
