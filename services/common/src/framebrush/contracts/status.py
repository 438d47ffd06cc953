"""The status of a run."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from framebrush.contracts.document import BlobRef, Document, Generation, Index, Model, ModelName, RunId
from framebrush.contracts.pictures import StyleImage


class State(StrEnum):
    """The states of a run, in the order of its life. Only a replay takes a run back, from failed to running."""

    PLANNING = "planning"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Return whether the run has ended, so that its messages are passed over."""
        return self not in (State.PLANNING, State.RUNNING)


class Progress(Model):
    """The number of frames that each stage is done with."""

    split: Index = 0
    scored: Index = 0
    encoded: Index = 0


class Timing(Model):
    """When a stage first began and last ended, and its seconds of work, summed over its pods."""

    started: datetime
    ended: datetime
    busy: float


class Failure(Model):
    """Why a run failed: a stable code, and a description for a person."""

    reason: str
    description: str


class Status(Document):
    """How a run stands. It is changed only under its ETag."""

    run_id: RunId
    state: State
    created: datetime
    updated: datetime
    ended: datetime | None = None
    generation: Generation = 0
    input: BlobRef
    model: ModelName
    more_models: tuple[ModelName, ...] = ()
    style_images: Annotated[tuple[StyleImage, ...], Field(exclude_if=lambda images: not images)] = ()
    """The pictures that the model ``picture`` paints like."""
    output: BlobRef | None = None
    more_outputs: tuple[BlobRef, ...] = ()
    frames: Index = 0
    """The number of frames of the whole video; 0 until the run is planned."""
    progress: Progress = Progress()
    failed_frames: Index = 0
    error: Failure | None = None
    stages: dict[str, Timing] = Field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of all models of the run."""
        return (self.model, *self.more_models)

    @property
    def outputs(self) -> tuple[BlobRef, ...]:
        """Return the outputs in the order of the models; there are none until the run is planned."""
        return (self.output, *self.more_outputs) if self.output else ()
