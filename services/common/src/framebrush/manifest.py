"""What a run is (manifest, written once), how it stands (status), and what its stages recorded."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from framebrush.documents import BlobRef, Count, Document, Index, Model, ModelName, RunId
from framebrush.requests import Options

Rational = tuple[int, Annotated[int, Field(ge=1)]]
"""Numerator and denominator."""


class Source(Model):
    """The input blob, pinned to the content that was planned."""

    blob: BlobRef
    etag: str
    size: Annotated[int, Field(ge=0)]
    """Bytes."""


class VideoProperties(Model):
    """The video stream that is styled; what must come back unchanged."""

    stream: Index
    """Index in the input container."""
    codec: str
    width: Count
    height: Count
    pixel_format: str
    time_base: Rational
    frame_rate: Rational | None
    """Average, frames per second; a hint for the encoder's rate control, never a source of times."""
    sample_aspect_ratio: Rational | None
    rotation: tuple[int, ...] | None
    """Display matrix: nine numbers in 16.16 and 2.30 fixed point (ISO/IEC 14496-12, 6.2.2)."""
    color_range: int
    color_primaries: int
    color_trc: int
    color_space: int
    """ITU-T H.273 code points; 2 is unspecified. The range: 0 unspecified, 1 limited, 2 full."""


class Segment(Model):
    """The frames with ``start <= pts < end``, in ticks of the video's time base."""

    start: int
    end: int
    frames: Count
    """As counted in the packets; what decodes is in the segment's :class:`Timeline`."""


class Rendition(Model):
    """One of a run's outputs."""

    number: Index
    model: ModelName
    output: BlobRef


class Manifest(Document):
    """The plan of a run. Written once; every stage reads it."""

    run_id: RunId
    created: datetime
    source: Source
    model: ModelName
    options: Options
    output: BlobRef
    more_outputs: tuple[BlobRef, ...] = ()
    """Of ``options.more_models``."""
    video: VideoProperties
    copied_streams: tuple[Index, ...]
    """Audio and subtitle streams of the input container, cover art and fonts, that go untouched into the output."""
    duration: float
    """Seconds."""
    pack_frames: Annotated[int, Field(ge=1, le=64)]
    batch_frames: Annotated[int, Field(ge=1, le=64)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    """What cannot be kept of the input, and why; a line each."""

    @property
    def frames(self) -> int:
        """Frames in the whole video."""
        return sum(segment.frames for segment in self.segments)

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """What the run makes, in the order in which every stage makes it: once the last is there, all are."""
        models = (self.model, *self.options.more_models)
        outputs = (self.output, *self.more_outputs)
        made = zip(models, outputs, strict=True)
        return tuple(Rendition(number=n, model=model, output=output) for n, (model, output) in enumerate(made))


class Timeline(Document):
    """What decoding a segment gave: one presentation time and duration per frame, in ticks, increasing."""

    pts: Annotated[tuple[int, ...], Field(min_length=1)]
    durations: tuple[int, ...]
    offsets: tuple[tuple[Index, ...], ...]
    """Per pack, as in :class:`~framebrush.messages.PackReady`."""

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


class State(StrEnum):
    """A run's life: one way, left to right."""

    PLANNING = "planning"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.PLANNING, State.RUNNING)


class Progress(Model):
    """Frames past each stage."""

    split: Index = 0
    scored: Index = 0
    encoded: Index = 0


class Timing(Model):
    """When a stage first began and last ended, and the seconds of work summed over its pods."""

    started: datetime
    ended: datetime
    busy: float


class Failure(Model):
    """Why a run failed, for a person."""

    reason: str
    description: str


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


class Status(Document):
    """How a run stands; changed only under its ETag."""

    run_id: RunId
    state: State
    created: datetime
    updated: datetime
    ended: datetime | None = None
    round: Index = 0
    """How often the run was reopened after it failed."""
    input: BlobRef
    model: ModelName
    more_models: tuple[ModelName, ...] = ()
    output: BlobRef | None = None
    more_outputs: tuple[BlobRef, ...] = ()
    frames: Index = 0
    """Frames in all, 0 until planned."""
    progress: Progress = Progress()
    failed_frames: Index = 0
    error: Failure | None = None
    stages: dict[str, Timing] = Field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """All that the run was asked for."""
        return (self.model, *self.more_models)

    @property
    def outputs(self) -> tuple[BlobRef, ...]:
        """In the order of the models; none until planned."""
        return (self.output, *self.more_outputs) if self.output else ()
