"""The messages of the queues: small JSON documents, while the data stays in Blob.

:mod:`framebrush.contracts.flow` tells which service consumes which queue.
"""

import hashlib
import json
import re
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeGuard

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from framebrush.contracts.document import (
    RUN_ID_PATTERN,
    Count,
    Document,
    FrameRange,
    Generation,
    Index,
    PackRange,
    RunId,
    explain,
)
from framebrush.contracts.requests import RunRequest, Trigger, TriggerMember
from framebrush.contracts.styles import LearningTurn, LearnRequest
from framebrush.errors import InvalidMessage

ITEM_FAILED = "item_failed"


class _RunMessage(Document):
    queue: ClassVar[str]
    """The queue to which the message is sent."""
    former_queue: ClassVar[str | None] = None
    """The queue to which version 0.1 sends the message. That version may run beside this one during an upgrade, so the
    message is read there, too."""
    step: ClassVar[str]
    """What the receiver does, in a word: the name of its span in the run's trace."""
    kind: str
    run_id: RunId
    generation: Generation = 0
    """How often the run was reopened. A message hands the number on to those that follow from it. The number keeps
    their ids apart from those of the same messages before, which duplicate detection still remembers."""

    @property
    def message_id(self) -> str:
        """Return the message id. It follows from the content alone, so that a step that is done twice sends one id."""
        return f"{self.run_id}/{self.kind}{self._item()}" + (f"@{self.generation}" if self.generation else "")

    def _item(self) -> str:
        return ""


class _SegmentMessage(_RunMessage):
    segment: Index

    def _item(self) -> str:
        return f"/{self.segment}"


class _ChunkMessage(_SegmentMessage):
    chunk: Annotated[Index, Field(exclude_if=lambda chunk: chunk == 0)] = 0
    """The number of the chunk within the segment, from 0. Most segments have one only."""

    def _item(self) -> str:
        return super()._item() + (f"/{self.chunk}" if self.chunk else "")


class SegmentPlanned(_ChunkMessage):
    """Work for the splitter: decode this segment, from this chunk on."""

    queue = "splits"
    step = "decode"
    kind: Literal["segment_planned"] = "segment_planned"


class PackReady(_SegmentMessage):
    """An event: a pack of frames lies in Blob."""

    queue = "frames"
    step = "dispatch"
    kind: Literal["pack_ready"] = "pack_ready"
    frames: FrameRange
    offsets: Annotated[tuple[Index, ...], Field(min_length=2, max_length=65)]
    """The offset of each frame's tar member in the pack, in bytes. The last offset is where the frames end."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.offsets) != self.frames.count + 1:
            raise ValueError(f"offsets: expected {self.frames.count + 1}, got {len(self.offsets)}")
        if any(a >= b for a, b in zip(self.offsets, self.offsets[1:], strict=False)):
            raise ValueError("offsets: must increase")
        return self

    def _item(self) -> str:
        return f"/{self.segment}/{self.frames.first}"


class ItemFailed(_RunMessage):
    """A message of this run was dead-lettered: the notice that wakes the dispatcher."""

    queue = "frames"
    step = "fail"
    kind: Literal["item_failed"] = "item_failed"
    source: Literal["triggers", "splits", "frames", "batches", "events", "scored"]
    """The queue of the message."""
    item: Annotated[str, Field(max_length=128)]
    """The id of the message."""
    reason: Annotated[str, Field(max_length=128)]
    description: Annotated[str, Field(max_length=4096)]
    body: Annotated[str, Field(max_length=32768)]
    """The body of the message as text, from which the dispatcher saves what it can."""

    def _item(self) -> str:
        # An item's id may have the full length of an id. A cut could make one id of two, so this one has a hash.
        return f"/{hashlib.sha256(f'{self.source}/{self.item}'.encode()).hexdigest()[:32]}"


class BatchReady(_SegmentMessage):
    """Work for the scorer: score these frames, which are a range of bytes of a pack."""

    queue = "batches"
    step = "score"
    kind: Literal["batch_ready"] = "batch_ready"
    frames: PackRange
    pack: PackRange
    start: Index
    """The offset of the frames within the pack, in bytes."""
    length: Count
    """The number of bytes."""

    @model_validator(mode="after")
    def _within_the_pack(self) -> Self:
        if self.frames.first < self.pack.first or self.frames.stop > self.pack.stop:
            raise ValueError("frames: must lie within the pack")
        return self

    def _item(self) -> str:
        return f"/{self.segment}/{self.frames.first}"


class BatchScored(_SegmentMessage):
    """An event: styled frames lie in Blob."""

    queue = "events"
    former_queue = "scored"
    step = "complete"
    kind: Literal["batch_scored"] = "batch_scored"
    frames: PackRange

    def _item(self) -> str:
        return f"/{self.segment}/{self.frames.first}"


class SegmentScored(_ChunkMessage):
    """Work for the stitcher: all batches of a chunk of a segment are scored, so encode it."""

    queue = "scored"
    step = "encode"
    kind: Literal["segment_scored"] = "segment_scored"


class SegmentEncoded(_ChunkMessage):
    """An event: an encoded chunk of a segment lies in Blob."""

    queue = "events"
    former_queue = "scored"
    step = "complete"
    kind: Literal["segment_encoded"] = "segment_encoded"


class RunEncoded(_RunMessage):
    """Work for the stitcher: all chunks of a run are encoded, so join them."""

    queue = "scored"
    step = "join"
    kind: Literal["run_encoded"] = "run_encoded"


RunMessage: TypeAlias = (
    SegmentPlanned | PackReady | ItemFailed | BatchReady | BatchScored | SegmentScored | SegmentEncoded | RunEncoded
)
"""The messages that services send to each other about a run."""
Message: TypeAlias = RunRequest | TriggerMember | RunMessage | LearnRequest | LearningTurn
"""Every message that services send."""
Incoming: TypeAlias = RunMessage | Trigger | LearnRequest | LearningTurn
"""Every message that handlers receive."""

_run_message: TypeAdapter[RunMessage] = TypeAdapter(Annotated[RunMessage, Field(discriminator="kind")])


def decode(queue: str, body: bytes, *, input_container: str) -> Incoming:
    """Read a message of ``queue``.

    In triggers, which come from outside, unknown fields are refused; in messages between services they are ignored.

    Raises:
        InvalidMessage: A field is missing or malformed, a trigger's field is unknown, or the message belongs to
            another queue. The text names the field or the queue.
    """
    if queue == "triggers":
        return Trigger.decode(body, input_container=input_container)
    if queue == LearnRequest.queue:
        kind = LearningTurn if _object(body).get("kind") == "learning_turn" else LearnRequest
        return kind.decode(body)
    try:
        message = _run_message.validate_json(body, extra=Document.unknown_fields)
    except ValidationError as error:
        raise InvalidMessage(f"{queue}: {explain(error)}") from None
    if queue not in (message.queue, message.former_queue):
        raise InvalidMessage(f"{queue}: kind: {message.kind} belongs to the queue {message.queue}")
    return message


def find_run_id(body: bytes) -> str | None:
    """Return the id of the run that a message names, None if it names none; the rest of it may be invalid."""
    run_id = _object(body).get("run_id")
    return run_id if is_run_id(run_id) else None


def is_run_id(value: object) -> TypeGuard[str]:
    """Return whether a value could be a run's id."""
    return isinstance(value, str) and re.fullmatch(RUN_ID_PATTERN, value) is not None


def find_generation(body: bytes) -> int:
    """Return how often the run of a message had been reopened when it was sent, even if the rest of it is invalid.

    The number is 0 where the message does not say, as in a trigger.
    """
    generation = _object(body).get("round")
    return generation if isinstance(generation, int) and 0 <= generation < 2**31 else 0


def _object(body: bytes) -> dict[str, object]:
    """Return the members of a JSON object; the dictionary is empty if the body is something else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
