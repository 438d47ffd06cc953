"""A message in a queue, and what keeps it across restarts."""

import enum
import uuid
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from framebrush_broker.messages import Message


class State(enum.IntEnum):
    """A message's state, numbered as in `x-opt-message-state`."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(slots=True, eq=False)
class Entry:
    """A message in a queue."""

    sequence: int
    message: Message
    size: int
    """Encoded size in bytes, as sent."""
    enqueued_at: float
    """Seconds since the epoch; for a scheduled message, when it is due."""
    expires_at: float | None = None
    state: State = State.ACTIVE
    delivery_count: int = 0
    """Failed deliveries so far."""
    lock_token: uuid.UUID | None = None
    locked_until: float = 0.0


class Counts(NamedTuple):
    """Messages of one queue by what they wait for; they add up to all messages."""

    active: int
    locked: int
    deferred: int
    scheduled: int


class Journal(Protocol):
    """Keeps what must survive a restart. Locks do not."""

    def put(self, queue: str, entry: Entry) -> None:
        """Insert or replace an entry."""

    def remove(self, queue: str, entry: Entry) -> None:
        """Delete an entry."""

    def sent(self, queue: str, message_id: str, at: float) -> None:
        """Remember a MessageId for duplicate detection."""

    def forgotten(self, queue: str, message_id: str) -> None:
        """Forget a MessageId whose window is over."""
