"""What came out of a run that succeeded."""

from framebrush.contracts.document import BlobRef, Count, Document, Index, Model, ModelName, RunId
from framebrush.contracts.requests import Options
from framebrush.contracts.status import Timing


class FailedFrame(Model):
    """A frame of the output that is not styled."""

    index: Index
    """In the whole video, from 0."""
    error: str
    model: ModelName | None = None
    """Whose output, where a run has several."""


class Check(Model):
    """One thing that must survive a run, and what became of it."""

    name: str
    wanted: str
    """As it is in the input."""
    found: str
    """As it is in the output."""
    ok: bool
    model: ModelName | None = None
    """Whose output, where a run has several."""


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
    """Seconds of video."""
    failed_frames: tuple[FailedFrame, ...]
    bad_frames: str
    """What stands in their place: the policy."""
    stages: dict[str, Timing]
    checks: tuple[Check, ...] = ()
    """The output read back and compared."""
    notes: tuple[str, ...] = ()
    """The manifest's."""
