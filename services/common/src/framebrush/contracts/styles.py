"""Styles of an installation's library, and how new ones are learned."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from framebrush.contracts.document import BlobName, BlobRef, Count, Document, Index, Model, ModelName, UnknownFields
from framebrush.contracts.status import Failure

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""The id of a learning job, which follows from all that decides its result."""
Title = Annotated[str, Field(min_length=1, max_length=300)]
NaturalEdge = Annotated[int, Field(ge=8)] | None
Strokes = Annotated[bool, Field(exclude_if=lambda strokes: not strokes)]
"""Whether paintings are laid in strokes that follow the shapes of the frame."""

MOST_CONTENT = 32
"""The most films and pictures that a learning job learns from."""


class PinnedStyle(Model):
    """The weights that a run paints with, whatever its style's name stands for later."""

    digest: Digest
    natural_edge: NaturalEdge = None
    """The shorter edge in pixels of the frames for which the strokes are made; None if they have no natural size."""
    strokes: Strokes = False


class LibraryStyle(Document):
    """What a name of the library stands for."""

    name: ModelName
    digest: Digest
    """The SHA-256 of the weights, a ``.safetensors`` file."""
    size: Count
    """The size of the weights, in bytes."""
    added: datetime
    title: Title
    """One line that tells a person what the style is."""
    natural_edge: NaturalEdge = None
    strokes: Strokes = False
    preview: bool = False
    """Whether there is a preview, a PNG file."""
    card: Annotated[str, Field(max_length=65_536)]
    """The style's card as JSON: licence, layout and how it was made."""

    @property
    def pinned(self) -> PinnedStyle:
        """Return the style as a run pins it."""
        return PinnedStyle(digest=self.digest, natural_edge=self.natural_edge, strokes=self.strokes)


class Catalogue(Document):
    """The models that the scorers of an installation have by themselves, beside those of the library."""

    models: tuple[ModelName, ...]
    complete: bool = True
    """Whether there are no others, so that another name is refused before any work is done."""
    titles: Annotated[dict[ModelName, Title], Field(default_factory=dict, exclude_if=lambda titles: not titles)]
    """One line for each of them that has one, which tells a person what it is."""


class LearnRequest(Document):
    """A request to learn to paint like a picture."""

    queue: ClassVar[str] = "learnings"
    step: ClassVar[str] = "learn"
    unknown_fields: ClassVar[UnknownFields] = "forbid"
    run_id: ClassVar[None] = None
    kind: Literal["learn_request"] = "learn_request"
    name: ModelName
    """The name that the style gets in the library. A style that has it is replaced when this one is learned."""
    picture: BlobName
    """The picture, a blob of the container of styles."""
    content: Annotated[tuple[BlobRef, ...], Field(min_length=1, max_length=MOST_CONTENT)]
    """The films and pictures to learn on, blobs of the input container. They decide what the style can paint well, and
    not what it looks like."""
    title: Title | None = None
    """The line that tells a person what the style is; by default it names the picture."""
    steps: Annotated[int, Field(ge=10, le=1_000_000)] = 2400
    """The number of steps. More of them take longer, and come closer to the picture."""
    stability: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0
    """The weight of holding still from frame to frame, against that of looking like the picture."""
    seed: Index = 0
    """The seed of the random numbers."""
    strokes: bool = True
    """Whether paintings in the style are laid in strokes, as with ``--style-image``."""

    @property
    def message_id(self) -> str:
        """Return the message id, which is the same for equal requests."""
        return hashlib.sha256(self.encode()).hexdigest()

    @field_validator("content")
    @classmethod
    def _each_once(cls, content: tuple[BlobRef, ...]) -> tuple[BlobRef, ...]:
        return tuple(dict.fromkeys(content))


class LearningTurn(Document):
    """Work for the learner: go on with a job for some minutes. The next turn is a message of its own."""

    queue: ClassVar[str] = "learnings"
    step: ClassVar[str] = "learn"
    run_id: ClassVar[None] = None
    kind: Literal["learning_turn"] = "learning_turn"
    job: JobId
    turn: Index

    @property
    def message_id(self) -> str:
        """Return the message id."""
        return f"{self.job}/{self.kind}/{self.turn}"


class PinnedBlob(Model):
    """A blob, pinned to the content that is learned from."""

    blob: BlobRef
    etag: str
    size: Count


class LearningJob(Document):
    """What a job learns, and from what. It is written once."""

    job: JobId
    request: LearnRequest
    picture: PinnedBlob
    content: tuple[PinnedBlob, ...]


class LearningState(StrEnum):
    """The states of a learning job."""

    LEARNING = "learning"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Return whether the job has ended, so that its messages are passed over."""
        return self is not LearningState.LEARNING


class LearningStatus(Document):
    """How a learning job stands. It is changed only under its ETag."""

    job: JobId
    name: ModelName
    state: LearningState
    created: datetime
    updated: datetime
    step: Index = 0
    steps: Count
    seconds: Annotated[float, Field(ge=0)] = 0.0
    """The time of learning so far."""
    loss: float | None = None
    digest: Digest | None = None
    """The weights that were learned, once the job has succeeded."""
    error: Failure | None = None


def derive_job_id(request: LearnRequest, picture: str, content: Sequence[str]) -> str:
    """Return the id of a job: 64 bits of SHA-256. Equal arguments give equal ids.

    Args:
        request: The request.
        picture: The ETag of the picture.
        content: The ETags of the content, in its order.

    """
    etags = [etag.strip('"') for etag in (picture, *content)]
    # An option that is added later changes no id, as its default is left out.
    key = json.dumps([request.model_dump(mode="json", exclude_defaults=True), etags], sort_keys=True)
    return hashlib.sha256(key.encode()).hexdigest()[:16]
