"""The dead-letter subqueues: what lies there, and how it goes back to work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

from framebrush.contracts import QUEUES, find_run_id
from framebrush.errors import BlobNotFound
from framebrush.messaging import (
    ATTEMPTS,
    COPIES,
    DELIVERIES,
    RUN,
    BrokerSettings,
    MessageSender,
    body_of,
    connect,
    translated,
)
from framebrush.runs import Runs

PAGE = 100
"""Messages per request."""
STALE = {ATTEMPTS, COPIES, DELIVERIES, "DeadLetterReason", "DeadLetterErrorDescription"}
"""Application properties that belong to the life that ended in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was put aside."""

    queue: str
    sequence: int
    """Unique within the queue."""
    message_id: str
    run_id: str | None
    reason: str
    description: str
    enqueued: datetime | None
    properties: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant; a field that is None or empty excludes nothing."""

    queue: str | None = None
    run_id: str | None = None
    sequences: frozenset[int] = frozenset()

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues to look at."""
        return (self.queue,) if self.queue else QUEUES

    def matches(self, letter: DeadLetter) -> bool:
        """Whether this one is meant."""
        return (self.run_id is None or letter.run_id == self.run_id) and (
            not self.sequences or letter.sequence in self.sequences
        )


def peek(settings: BrokerSettings, selection: Selection) -> list[DeadLetter]:
    """The dead letters, queue by queue, the oldest first; they stay as they are.

    Raises:
        Unavailable: the broker is away.
    """
    # To open and close a link takes the SDK a second: all queues at a time, each with a client of its own.
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        pages = pool.map(lambda queue: list(_peek(settings, queue)), selection.queues)
        return [letter for page in pages for letter in page if selection.matches(letter)]


def _peek(settings: BrokerSettings, queue: str) -> Iterator[DeadLetter]:
    with (
        translated(),
        connect(settings) as client,
        client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
    ):
        following = 1
        while page := receiver.peek_messages(PAGE, sequence_number=following):
            letters = [_letter(queue, message) for message in page]
            yield from letters
            following = letters[-1].sequence + 1


def replay(settings: BrokerSettings, runs: Runs, selection: Selection) -> Iterator[DeadLetter]:
    """Send the dead letters to their queues again, and yield each as it is done.

    Only those that are there now: what fails again meanwhile stays for the next replay.

    Raises:
        Unavailable: the broker is away; what was not yielded may have been sent, and is still a dead letter.
    """
    reopened = set[str | None]()
    for queue, letters in groupby(peek(settings, selection), attrgetter("queue")):
        with (
            translated(),
            connect(settings) as client,
            client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
            client.get_queue_sender(queue) as sender,
            MessageSender(client) as messages,
        ):
            for message in _take(receiver, {letter.sequence for letter in letters}):
                letter = _letter(queue, message)
                if letter.run_id not in reopened:
                    _reopen(runs, letter, messages)
                    reopened.add(letter.run_id)
                _send_again(sender, letter, message)
                # Last: a crash before this line leaves a duplicate, which changes nothing, and never a loss.
                receiver.complete_message(message)
                yield letter


def _take(receiver: ServiceBusReceiver, wanted: set[int]) -> Iterator[ServiceBusReceivedMessage]:
    """The wanted messages, locked. Others that stand before them in the queue are handed back at the end."""
    others: list[ServiceBusReceivedMessage] = []
    left = set(wanted)
    try:
        while left and (page := receiver.receive_messages(PAGE, max_wait_time=5)):
            for message in page:
                if message.sequence_number in left:
                    left.discard(message.sequence_number)
                    yield message
                else:
                    others.append(message)
    finally:
        for message in others:
            receiver.abandon_message(message)


def _reopen(runs: Runs, letter: DeadLetter, messages: MessageSender) -> None:
    """Let the letter's run go on; messages of a failed run would be passed over, and were while it was failed."""
    if letter.run_id is not None:
        with suppress(BlobNotFound):  # not planned yet, or deleted
            for message in runs.reopen(letter.run_id):
                messages.send(message)


def _send_again(sender: ServiceBusSender, letter: DeadLetter, message: ServiceBusReceivedMessage) -> None:
    # The id is new, or duplicate detection would swallow the copy; and it follows from the dead letter, so that a
    # second copy after a crash is a duplicate. The "+" keeps ids of later retries, `base~1`, apart from earlier ones.
    base = letter.message_id.partition("~")[0].partition("+")[0]
    sender.send_messages(
        ServiceBusMessage(
            letter.body,
            message_id=f"{base[:90]}+{letter.sequence}",
            subject=message.subject,
            content_type=message.content_type,
            application_properties={name: value for name, value in letter.properties.items() if name not in STALE},
        )
    )


def _letter(queue: str, message: ServiceBusReceivedMessage) -> DeadLetter:
    properties = {_text(name): _text(value) for name, value in (message.application_properties or {}).items()}
    body, run_id = body_of(message), properties.get(RUN)
    return DeadLetter(
        queue=queue,
        sequence=message.sequence_number or 0,
        message_id=message.message_id or "",
        run_id=run_id if isinstance(run_id, str) else find_run_id(body),
        reason=message.dead_letter_reason or "",
        description=message.dead_letter_error_description or "",
        enqueued=message.enqueued_time_utc,
        properties={str(name): value for name, value in properties.items()},
        body=body,
    )


def _text(value: object) -> object:
    """The SDK gives keys and strings of received properties as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
