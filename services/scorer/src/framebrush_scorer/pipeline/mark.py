"""Tells how far a batch is, for whoever watches its run."""

import time
from contextlib import suppress

from framebrush.contracts import BlobRef
from framebrush.errors import FramebrushError
from framebrush.runs import PAINTED
from framebrush.storage import Store

EVERY = 5.0
"""The seconds for which a mark stands, at least. A batch on a GPU is done before, and writes none."""


class Mark:
    """An empty blob, whose metadata says how many frames of a batch are painted.

    Nothing depends on it: it may be late, missing, or there too long, and progress counts it only while the styled pack
    is missing. So storage that refuses it fails no batch.
    """

    def __init__(self, store: Store, ref: BlobRef, renditions: int) -> None:
        """Set what is told; nothing is written yet.

        Args:
            store: Where the mark is written.
            ref: Its name.
            renditions: How many paintings each frame gets; with each of them it counts for so much.
        """
        self._store, self._ref, self._renditions = store, ref, renditions
        self._paintings, self._written, self._due = 0, False, time.monotonic() + EVERY

    def add(self, paintings: int) -> None:
        """Note that some more frames are painted in a style, and write the mark if that was done long ago."""
        self._paintings += paintings
        if not paintings or (now := time.monotonic()) < self._due:
            return
        self._written, self._due = True, now + EVERY
        with suppress(FramebrushError):
            self._store.write(self._ref, b"", metadata={PAINTED: str(self._paintings // self._renditions)})

    def remove(self) -> None:
        """Remove the mark, if there is one, as the styled packs are written."""
        if self._written:
            with suppress(FramebrushError):
                self._store.delete([self._ref])
