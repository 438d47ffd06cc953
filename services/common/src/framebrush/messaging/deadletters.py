"""Dead letters: this module alone peeks at them, pages through them and decodes them."""

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
"""The number of dead letters to peek with one request. Azure may answer with fewer, and charges a credit for each."""


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """A message in a queue's dead-letter queue.

    Each part is decoded only when it is asked for. A stranger may have put anything into a message, and a part that
    cannot be decoded must not keep the other parts from being read.
    """

    queue: str
    received: ServiceBusReceivedMessage
    """The message as the SDK gives it."""

    @property
    def sequence(self) -> int:
        """Return its sequence number: unique within the queue, and unchanged since the message was sent."""
        return self.received.sequence_number or 0

    @property
    def message_id(self) -> str:
        """Return its message id; the id is empty if it has none."""
        return str(text_of(self.received.message_id) or "")

    @property
    def body(self) -> bytes:
        """Return its body as bytes, whatever type it was sent as."""
        return body_of(self.received)

    @property
    def properties(self) -> dict[str, Any]:
        """Return its application properties, with text where the SDK gives bytes."""
        found = self.received.application_properties or {}
        return {str(text_of(name)): text_of(value) for name, value in found.items()}

    @property
    def run_id(self) -> str | None:
        """Return the id of the run that it belongs to; None if it names none."""
        run_id = self.properties.get(RUN)
        return run_id if is_run_id(run_id) else find_run_id(self.body)

    @property
    def generation(self) -> int:
        """Return how often its run had been reopened when it was sent."""
        return generation_of(self.received)

    @property
    def reason(self) -> str:
        """Return the code that tells why it was put aside; empty if none was given."""
        return str(self.properties.get("DeadLetterReason") or "")

    @property
    def description(self) -> str:
        """Return the text that tells a person why it was put aside; empty if none was given."""
        return str(self.properties.get("DeadLetterErrorDescription") or "")

    @property
    def enqueued(self) -> datetime | None:
        """Return when it was sent, None if the broker does not say."""
        return self.received.enqueued_time_utc


@contextmanager
def dead_letter_receiver(client: ServiceBusClient, queue: str) -> Iterator[ServiceBusReceiver]:
    """Open a receiver of a queue's dead letters, which is closed after the block."""
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        yield receiver


def peek_page(receiver: ServiceBusReceiver, queue: str, first: int, count: int = PAGE) -> list[DeadLetterMessage]:
    """Return some dead letters, the lowest sequence number first, and leave them where they are.

    Args:
        receiver: The receiver of the queue's dead letters.
        queue: The queue's name.
        first: The lowest sequence number to return.
        count: The largest number of dead letters to return.

    Returns:
        The dead letters. The list is empty if there are none from ``first`` on. Fewer than ``count`` do not mean that
        there are no more.

    Raises:
        Unavailable: The broker is away.
    """
    with translated():
        page = receiver.peek_messages(count, sequence_number=first, timeout=ANSWER)
    return [DeadLetterMessage(queue, received) for received in page]


def peek_all(receiver: ServiceBusReceiver, queue: str) -> Iterator[DeadLetterMessage]:
    """Yield all dead letters, the lowest sequence number first, and leave them where they are.

    Raises:
        Unavailable: The broker is away.
    """
    following = 1
    while page := peek_page(receiver, queue, following):
        yield from page
        following = page[-1].sequence + 1
