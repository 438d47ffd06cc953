"""How a run stands."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from framebrush.contracts.document import BlobRef, Document, Generation, Index, Model, ModelName, RunId


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


class Status(Document):
    """How a run stands; changed only under its ETag."""

    run_id: RunId
    state: State
    created: datetime
    updated: datetime
    ended: datetime | None = None
    generation: Generation = 0
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
