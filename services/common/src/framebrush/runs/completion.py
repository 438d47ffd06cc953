"""Notices that a chunk is scored in whole, and that a run is encoded in whole. This is its only owner.

Every event asks whether its blob was the last one that was missing. The blobs that exist tell it, so that nothing is
lost if events come twice, late or in any order: whoever looks after the last blob was written finds all of them. To
look at all names for each event would cost more the longer the run is. So one blob that was missing is remembered, and
as long as it is missing nothing else is asked. That is one request per event. Once it is there, the names are listed,
and another missing one is remembered, a random one: whatever the order in which n blobs come, about log n listings
follow.
"""

import os
import random
from collections.abc import Callable, Iterator

from framebrush.contracts import BlobRef, FrameRange, Manifest
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import RunBlobs, frames_of

REMEMBERED = 10_000
"""The number of blobs to remember at most; to forget them costs a listing."""


def batch_ranges(frames: int, pack: int, batch: int) -> Iterator[FrameRange]:
    """Yield the score batches of a chunk in order: packs of ``pack`` frames, each cut into batches of ``batch``."""
    for begin in range(0, frames, pack):
        end = min(begin + pack, frames)
        for first in range(begin, end, batch):
            yield FrameRange(first=first, count=min(batch, end - first))


def styled_packs(blobs: RunBlobs, manifest: Manifest, segment: int, rendition: int, chunk: int = 0) -> list[BlobRef]:
    """Return the styled packs that a chunk has once all its frames are scored, in order. They hold no others."""
    frames = manifest.chunk(segment, chunk)
    ranges = batch_ranges(frames.count, manifest.pack_frames, manifest.batch_frames)
    moved = (FrameRange(first=frames.first + each.first, count=each.count) for each in ranges)
    return [blobs.styled(segment, each, rendition) for each in moved]


class Completion:
    """Tells what is complete. It remembers something, but nothing depends on that."""

    def __init__(self, runs: RunDocuments) -> None:
        self._runs = runs
        self._awaited: dict[str, BlobRef | None] = {}
        """A blob that was missing at the last look, by the name of what follows; None where nothing is missing.
        Nothing that is there goes away before its run has ended."""

    def scored(self, run_id: str, segment: int, chunk: int = 0) -> bool:
        """Return whether all frames of a chunk are scored, in all renditions.

        A scorer makes the renditions of a batch in their order, so that a batch is scored once its last one exists.
        """
        blobs, manifest = self._runs.blobs(run_id), self._runs.manifest(run_id)
        last, frames = manifest.renditions[-1].number, manifest.chunk(segment, chunk)

        def missing() -> list[BlobRef] | None:
            packs = styled_packs(blobs, manifest, segment, last, chunk)
            # What all their names begin with: of a long segment not more than a few chunks are listed.
            found = self._list(os.path.commonprefix([packs[0].name, packs[-1].name]))  # noqa: RUF071 - of characters
            ranges = (frames_of(ref) for ref in found)
            if sum(each.count for each in ranges if frames.first <= each.first < frames.stop) >= frames.count:
                return None
            return [ref for ref in packs if ref not in found]

        follows = blobs.encoded(segment, last, chunk).name
        return self._complete(follows, lambda: styled_packs(blobs, manifest, segment, last, chunk)[-1], missing)

    def encoded(self, run_id: str) -> bool:
        """Return whether all chunks of a run are encoded, in all renditions.

        A stitcher makes the renditions of a chunk in their order: a chunk is encoded once its last one exists.
        """
        blobs, manifest = self._runs.blobs(run_id), self._runs.manifest(run_id)
        last, count = manifest.renditions[-1].number, len(manifest.segments)

        def missing() -> list[BlobRef] | None:
            found = self._list(prefix)
            refs = (blobs.encoded(segment, last, chunk) for segment, chunk in manifest.chunks)
            return [ref for ref in refs if ref not in found] or None

        prefix = blobs.encoded_prefix(last)
        final = blobs.encoded(count - 1, last, manifest.chunk_count(count - 1) - 1)
        return self._complete(prefix, lambda: final, missing)

    def _list(self, prefix: str) -> set[BlobRef]:
        return {blob.ref for blob in self._runs.store.list(self._runs.container, prefix)}

    def _complete(self, name: str, last: Callable[[], BlobRef], missing: Callable[[], list[BlobRef] | None]) -> bool:
        """Return whether nothing is missing.

        Args:
            name: The name of what follows.
            last: Returns the blob that is most likely to come last: work is handed out in order.
            missing: Lists the names, and returns which are missing; None if nothing is.
        """
        if name not in self._awaited:
            self._remember(name, last())
        awaited = self._awaited.get(name)
        if awaited is not None and self._runs.exists(awaited):
            left = missing()
            if left == []:  # Blobs of other names are there: nothing is known that could be waited for.
                return False
            self._remember(name, random.choice(left) if left else None)  # noqa: S311 - no secret
            return left is None
        return awaited is None

    def _remember(self, name: str, ref: BlobRef | None) -> None:
        if len(self._awaited) >= REMEMBERED:
            self._awaited.clear()
        self._awaited[name] = ref
