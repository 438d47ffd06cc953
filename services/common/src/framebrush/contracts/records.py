"""What the stages record beside the frames: of a run before it is planned, and of a segment."""

from typing import Annotated

from pydantic import Field

from framebrush.contracts.document import BlobRef, Document, Index, RunId
from framebrush.contracts.requests import Options


class PlannedRequest(Document):
    """What a run was asked for: a run id belongs to the first request that comes with it."""

    input: BlobRef
    requested: Options
    """The options as the request has them."""
    options: Options
    """The options with the installation's model where the request named none. It stays if that setting changes."""
    output: BlobRef | None = None
    """The output as the request has it."""


class OutputClaim(Document):
    """Which run has the name of an output."""

    run_id: RunId
    output: BlobRef


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
