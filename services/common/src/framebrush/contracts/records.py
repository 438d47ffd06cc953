"""What the stages record beside the frames: the request, claims of outputs, and the facts of a segment."""

from typing import Annotated

from pydantic import ConfigDict, Field

from framebrush.contracts.document import BlobRef, Document, Index, RunId
from framebrush.contracts.requests import Options


class PlannedRequest(Document):
    """What a run was asked for: a run id belongs to the first request that comes with it."""

    input: BlobRef
    requested: Options
    """The options as they are in the request."""
    options: Options
    """The options with the installation's model where the request named none. It stays if that setting changes."""
    output: BlobRef | None = None
    """The output as it is in the request; None if the request names none."""


class OutputClaim(Document):
    """Which run has the name of an output."""

    run_id: RunId
    output: BlobRef


class Timeline(Document):
    """What decoding a chunk gave: the presentation time and the duration of each frame, in ticks of the time base.

    The times are strictly increasing.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    pts: Annotated[tuple[int, ...], Field(min_length=1)]
    durations: tuple[int, ...]
    offsets: tuple[tuple[Index, ...], ...]
    """The offsets of each pack, as in :class:`~framebrush.contracts.PackReady`."""
    captions: Annotated[tuple[bytes, ...], Field(exclude_if=lambda captions: not captions)] = ()
    """The closed captions of each frame, as triplets of ATSC A/53; none if no frame has any."""
    moved: Annotated[Index, Field(exclude_if=lambda moved: not moved)] = 0
    """The number of frames that have another time than the container tells for them, since its times are not in order.
    """

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return len(self.pts)


class FrameFailure(Document):
    """A frame that could not be scored. This record stands in the styled pack in its place."""

    frame: Index
    """The number of the frame within the segment, from 0."""
    error: str


class EncodedSegment(Document):
    """What the stitcher records about an encoded chunk of a segment."""

    reorder: Index
    """How many places a packet comes before its turn in order of presentation, at most."""
    failures: tuple[FrameFailure, ...]
    moved: Annotated[Index, Field(exclude_if=lambda moved: not moved)] = 0
    """As in :class:`Timeline`."""
