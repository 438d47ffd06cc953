"""Dead letters: where they are peeked, paged and decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSubQueue

from framebrush.contracts import find_run_id, is_run_id
from framebrush.messaging.client import translated
from framebrush.messaging.transport import ANSWER
from framebrush.messaging.wire import RUN, body_of, generation_of, text_of

PAGE = 100
"""Dead letters to peek with one request. Azure may answer with fewer, and charges a credit for each."""


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """A message in a queue's dead-letter queue.

    Everything is decoded when it is asked for: a message of strangers may hold anything, and what cannot be decoded
    must not keep others from being read.
    """

    queue: str
    received: ServiceBusReceivedMessage
    """The message as the SDK gives it."""

    @property
    def sequence(self) -> int:
        """Its sequence number, unique within the queue; it is the one that the message had when it was sent."""
        return self.received.sequence_number or 0

    @property
    def message_id(self) -> str:
        """Its message id; empty if it has none."""
        return str(text_of(self.received.message_id) or "")

    @property
    def body(self) -> bytes:
        """Its body, whatever that was sent as."""
        return body_of(self.received)

    @property
    def properties(self) -> dict[str, Any]:
        """Its application properties, with text where the SDK gives bytes."""
        found = self.received.application_properties or {}
        return {str(text_of(name)): text_of(value) for name, value in found.items()}

    @property
    def run_id(self) -> str | None:
        """The run that it belongs to; None if it names none."""
        run_id = self.properties.get(RUN)
        return run_id if is_run_id(run_id) else find_run_id(self.body)

    @property
    def generation(self) -> int:
        """How often its run had been reopened when it was sent."""
        return generation_of(self.received)

    @property
    def reason(self) -> str:
        """A code that tells why it was put aside; empty if none was given."""
        return str(self.properties.get("DeadLetterReason") or "")

    @property
    def description(self) -> str:
        """Why it was put aside, for a person; empty if nothing was given."""
        return str(self.properties.get("DeadLetterErrorDescription") or "")

    @property
    def enqueued(self) -> datetime | None:
        """When it was sent."""
        return self.received.enqueued_time_utc


@contextmanager
def dead_letter_receiver(client: ServiceBusClient, queue: str) -> Iterator[ServiceBusReceiver]:
    """Open a receiver of a queue's dead letters, which is closed after the block."""
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        yield receiver


def peek_page(receiver: ServiceBusReceiver, queue: str, first: int, count: int = PAGE) -> list[DeadLetterMessage]:
    """Return some dead letters, the lowest sequence number first, and leave them where they are.

    Args:
        receiver: Of the queue's dead letters.
        queue: The queue's name.
        first: The lowest sequence number to return.
        count: Return at most so many.

    Returns:
        Nothing if there are none from ``first`` on. Fewer than ``count`` do not mean that there are no more.

    Raises:
        Unavailable: the broker is away.
    """
    with translated():
        page = receiver.peek_messages(count, sequence_number=first, timeout=ANSWER)
    return [DeadLetterMessage(queue, received) for received in page]


def peek_all(receiver: ServiceBusReceiver, queue: str) -> Iterator[DeadLetterMessage]:
    """Yield all dead letters, the lowest sequence number first, and leave them where they are.

    Raises:
        Unavailable: the broker is away.
    """
    following = 1
    while page := peek_page(receiver, queue, following):
        yield from page
        following = page[-1].sequence + 1
