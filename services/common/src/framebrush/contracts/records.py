"""What the stages record of a segment beside its frames."""

from typing import Annotated

from pydantic import Field

from framebrush.contracts.document import Document, Index


class Timeline(Document):
    """What decoding a segment gave: one presentation time and duration per frame, in ticks, increasing."""

    pts: Annotated[tuple[int, ...], Field(min_length=1)]
    durations: tuple[int, ...]
    offsets: tuple[tuple[Index, ...], ...]
    """Per pack, as in :class:`~framebrush.contracts.PackReady`."""

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)


class FrameFailure(Document):
    """A frame that could not be scored, kept in the styled pack in its place."""

    frame: Index
    """Within the segment."""
    error: str


class EncodedSegment(Document):
    """What encoding a segment told."""

    reorder: Index
    """How many places a packet comes before its turn in order of presentation, at most."""
    failures: tuple[FrameFailure, ...]
