"""Notices that a segment is scored in whole, and that a run is encoded in whole. This is its only owner.

Every event asks whether its blob was the last one that was missing. The blobs that exist tell it, so that nothing is
lost if events come twice, late or in any order: whoever looks after the last blob was written finds all of them. To
look at all names for each event would cost more the longer the run is. So one blob that was missing is remembered, and
as long as it is missing nothing else is asked. That is one request per event. Once it is there, the names are listed,
and another missing one is remembered, a random one: whatever the order in which n blobs come, about log n listings
follow.
"""

import random
from collections.abc import Callable, Iterator

from framebrush.contracts import BlobRef, FrameRange, Manifest
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import RunBlobs, frames_of

REMEMBERED = 10_000
"""The number of blobs to remember at most; to forget them costs a listing."""


def batch_ranges(frames: int, pack: int, batch: int) -> Iterator[FrameRange]:
    """Yield the score batches of a segment in order: packs of ``pack`` frames, each cut into batches of ``batch``."""
    for begin in range(0, frames, pack):
        end = min(begin + pack, frames)
        for first in range(begin, end, batch):
            yield FrameRange(first=first, count=min(batch, end - first))


def styled_packs(blobs: RunBlobs, manifest: Manifest, segment: int, rendition: int) -> list[BlobRef]:
    """Return the styled packs that a segment has once all its frames are scored, in order."""
    ranges = batch_ranges(manifest.segment(segment).frames, manifest.pack_frames, manifest.batch_frames)
    return [blobs.styled(segment, each, rendition) for each in ranges]


class Completion:
    """Tells what is complete. It remembers something, but nothing depends on that."""

    def __init__(self, runs: RunDocuments) -> None:
        self._runs = runs
        self._awaited: dict[str, BlobRef | None] = {}
        """A blob that was missing at the last look, by the prefix of the names; None where nothing is missing any more.
        Nothing that is there goes away before its run has ended."""

    def scored(self, run_id: str, segment: int) -> bool:
        """Return whether all frames of a segment are scored, in all renditions.

        A scorer makes the renditions of a batch in their order, so that a batch is scored once its last one exists.
        """
        blobs, manifest = self._runs.blobs(run_id), self._runs.manifest(run_id)
        last, frames = manifest.renditions[-1].number, manifest.segment(segment).frames

        def missing() -> list[BlobRef] | None:
            found = self._list(prefix)
            if sum(frames_of(ref).count for ref in found) >= frames:
                return None
            return [ref for ref in styled_packs(blobs, manifest, segment, last) if ref not in found]

        prefix = blobs.styled_prefix(segment, last)
        return self._complete(prefix, lambda: styled_packs(blobs, manifest, segment, last)[-1], missing)

    def encoded(self, run_id: str) -> bool:
        """Return whether all segments of a run are encoded, in all renditions.

        A stitcher makes the renditions of a segment in their order: a segment is encoded once its last one exists.
        """
        blobs, manifest = self._runs.blobs(run_id), self._runs.manifest(run_id)
        last, count = manifest.renditions[-1].number, len(manifest.segments)

        def missing() -> list[BlobRef] | None:
            found = self._list(prefix)
            refs = (blobs.encoded(segment, last) for segment in range(count))
            return [ref for ref in refs if ref not in found] or None

        prefix = blobs.encoded_prefix(last)
        return self._complete(prefix, lambda: blobs.encoded(count - 1, last), missing)

    def _list(self, prefix: str) -> set[BlobRef]:
        return {blob.ref for blob in self._runs.store.list(self._runs.container, prefix)}

    def _complete(self, prefix: str, last: Callable[[], BlobRef], missing: Callable[[], list[BlobRef] | None]) -> bool:
        """Return whether nothing is missing.

        Args:
            prefix: What the names begin with.
            last: Returns the blob that is most likely to come last: work is handed out in order.
            missing: Lists the names, and returns which are missing; None if nothing is.
        """
        if prefix not in self._awaited:
            self._remember(prefix, last())
        awaited = self._awaited.get(prefix)
        if awaited is not None and self._runs.exists(awaited):
            left = missing()
            if left == []:  # Blobs of other names are there: nothing is known that could be waited for.
                return False
            self._remember(prefix, random.choice(left) if left else None)  # noqa: S311 - no secret
            return left is None
        return awaited is None

    def _remember(self, prefix: str, ref: BlobRef | None) -> None:
        if len(self._awaited) >= REMEMBERED:
            self._awaited.clear()
        self._awaited[prefix] = ref
