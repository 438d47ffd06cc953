"""The report of a run that succeeded."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from framebrush.contracts.document import BlobRef, Count, Document, Index, Model, ModelName, RunId
from framebrush.contracts.requests import Options
from framebrush.contracts.status import Timing

Moment = Annotated[datetime | None, Field(exclude_if=lambda moment: moment is None)]


class FailedFrame(Model):
    """A frame of the output that is not styled."""

    index: Index
    """The number of the frame in the whole video, from 0."""
    error: str
    model: ModelName | None = None
    """The model of the output, where a run has several outputs."""


class Check(Model):
    """One comparison of an output with its input: a property that must survive a run, and what became of it."""

    name: str
    wanted: str
    """The property as it is in the input."""
    found: str
    """The property as it is in the output."""
    ok: bool
    model: ModelName | None = None
    """The model of the output, where a run has several outputs."""


class Report(Document):
    """What came out of a run that succeeded."""

    run_id: RunId
    input: BlobRef
    output: BlobRef
    more_outputs: tuple[BlobRef, ...] = ()
    model: ModelName
    options: Options
    frames: Count
    duration: float
    """The duration of the video, in seconds."""
    failed_frames: tuple[FailedFrame, ...]
    bad_frames: str
    """The policy for bad frames, which tells what stands in their place."""
    stages: dict[str, Timing]
    checks: tuple[Check, ...] = ()
    """The comparisons of the output, as it was read back, with the input."""
    notes: tuple[str, ...] = ()
    """The notes of the manifest."""


class TaskTime(Model):
    """One piece of work: the plan, a pack decoded, a batch scored, a chunk encoded, or the join of all chunks."""

    stage: str
    """The stage as in :attr:`Report.stages`: split, scored, encoded or joined; or planned."""
    segment: Index
    first: Index
    """The number of the first frame within the segment."""
    frames: Count
    rendition: Index = 0
    started: datetime
    ended: datetime
    size: Annotated[int, Field(ge=0)]
    """The size of the blob that was made, in bytes; of the join, that of all outputs."""
    pod: Annotated[str, Field(exclude_if=lambda pod: not pod)] = ""
    """The machine and the process that did it; empty if they are not known."""
    up: Moment = None
    """When that process was started."""
    queued: Moment = None
    """When the message that asked for it came into its queue, by the broker's clock."""
    taken: Moment = None
    """When that message was received, which may be before other pieces of work of the same message."""
    attempt: Annotated[int, Field(ge=1, exclude_if=lambda attempt: attempt == 1)] = 1
    """How often that message was received."""


class Timings(Document):
    """When each piece of a run's work was done. It stays when the frames are deleted."""

    tasks: tuple[TaskTime, ...]
