"""Selects dead letters, and sends them again."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError

from framebrush.contracts import QUEUES
from framebrush.errors import PermanentError, Unavailable
from framebrush.messaging import (
    ATTEMPTS,
    COPIES,
    DELIVERIES,
    GENERATION,
    BrokerSettings,
    DeadLetterMessage,
    MessageSender,
    connect,
    dead_letter_receiver,
    derived_id,
    peek_all,
    translated,
)
from framebrush.runs import Runs

LOCKED = 100
"""The number of dead letters to lock at a time. It is small, so that all are settled before their locks run out."""
STALE = {ATTEMPTS, COPIES, DELIVERIES, GENERATION, "DeadLetterReason", "DeadLetterErrorDescription"}
"""The application properties that a message loses when it is sent again: they belong to its life before."""

T = TypeVar("T")
Found: TypeAlias = Mapping[str, Mapping[int, str | None]]
"""For each queue the sequence numbers of dead letters, and the id of the run that each belongs to."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of dead letters. A field that is None or empty excludes nothing."""

    queue: str | None = None
    run_id: str | None = None
    sequences: frozenset[int] = frozenset()

    @property
    def queues(self) -> tuple[str, ...]:
        """Return the names of the queues to look at."""
        return (self.queue,) if self.queue else QUEUES

    def matches(self, letter: DeadLetterMessage) -> bool:
        """Return whether a dead letter is selected."""
        return (self.run_id is None or letter.run_id == self.run_id) and (
            not self.sequences or letter.sequence in self.sequences
        )


def peek(settings: BrokerSettings, selection: Selection) -> list[DeadLetterMessage]:
    """Return the selected dead letters, queue by queue, the lowest sequence number first. They stay where they are.

    Raises:
        Unavailable: The broker is away.
    """
    return [letter for letters in _peek_queues(settings, selection, list).values() for letter in letters]


def find(settings: BrokerSettings, selection: Selection) -> Found:
    """Return the places and the runs of the selected dead letters, without their bodies. They stay where they are.

    Raises:
        Unavailable: The broker is away.
    """

    def places(letters: Iterable[DeadLetterMessage]) -> dict[int, str | None]:
        return {letter.sequence: letter.run_id for letter in letters}

    return _peek_queues(settings, selection, places)


def _peek_queues(
    settings: BrokerSettings, selection: Selection, collect: Callable[[Iterable[DeadLetterMessage]], T]
) -> dict[str, T]:
    def peek_queue(queue: str) -> T:
        with translated(), connect(settings) as client, dead_letter_receiver(client, queue) as receiver:
            return collect(filter(selection.matches, peek_all(receiver, queue)))

    # The SDK takes a second to open and close a link. So all queues are read at a time, each with a client of its own.
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        return dict(zip(selection.queues, pool.map(peek_queue, selection.queues), strict=True))


def replay(settings: BrokerSettings, runs: Runs, found: Found) -> Generator[DeadLetterMessage, None, None]:
    """Reopen the runs of dead letters, send these to their queues again, and yield each as it is done.

    A dead letter is removed after its copy was sent. If this function is interrupted, at any time, what is left can be
    sent again. At worst there are two copies with one id: the broker keeps one, or services pass over
    the second. A dead letter that another process holds at the moment is not yielded, and stays.

    Raises:
        Unavailable: The broker or storage is away, or locks run out as soon as they are taken.
    """
    generations = _reopen(settings, runs, {run_id for letters in found.values() for run_id in letters.values()})
    for queue, letters in found.items():
        if letters:
            with (
                translated(),
                connect(settings) as client,
                dead_letter_receiver(client, queue) as receiver,
                MessageSender(client) as sender,
            ):
                hold = _Hold(queue, receiver, set(letters))
                try:
                    while page := hold.take():
                        sender.send_batches(queue, (_copy(letter, generations[letter.run_id]) for letter in page))
                        yield from filter(hold.complete, page)
                finally:
                    hold.release()


def _reopen(settings: BrokerSettings, runs: Runs, run_ids: Iterable[str | None]) -> Mapping[str | None, int]:
    """Let failed runs go on, since messages of a failed run are passed over.

    Returns:
        How often each run has been reopened by now.
    """
    generations = defaultdict[str | None, int](int)
    with translated(), connect(settings) as client, MessageSender(client) as messages:
        for run_id in sorted(filter(None, run_ids)):
            # The run is not planned yet, deleted, or its status cannot be read. Its messages go back all the same.
            with suppress(PermanentError):
                messages.send_all(runs.reopen(run_id))
            with suppress(PermanentError):
                generations[run_id] = runs.status(run_id).generation
    return generations


def _copy(letter: DeadLetterMessage, generation: int) -> ServiceBusMessage:
    # The id is new, since duplicate detection would drop the copy otherwise. It follows from the dead letter, so that a
    # second copy after a crash is a duplicate. The "+" keeps ids of later retries, `base~1`, apart from earlier ones.
    base = letter.message_id.partition("~")[0].partition("+")[0]
    properties: dict[str | bytes, Any] = {name: value for name, value in letter.properties.items() if name not in STALE}
    if generation:
        properties[GENERATION] = generation
    return ServiceBusMessage(
        letter.body,
        message_id=derived_id(base, f"+{letter.sequence}"),
        subject=letter.received.subject,
        content_type=letter.received.content_type,
        application_properties=properties,
    )


class _Hold:
    """The dead letters of one queue that are locked here.

    Those that are wanted are locked, sent and removed in small portions. Others may stand before them, which
    stay locked until the end, since they would come again and again otherwise.
    """

    def __init__(self, queue: str, receiver: ServiceBusReceiver, wanted: set[int]) -> None:
        self._queue, self._receiver, self._wanted = queue, receiver, wanted
        self._held: dict[int, ServiceBusReceivedMessage] = {}
        self._renew_at = datetime.now(UTC)
        """The moment at which half of the life of the last portion's locks is over."""
        self._passed: dict[int, int] = {}
        """How many dead letters were wanted when another one was last passed over, by that one's sequence number."""
        self._before: int | None = None
        """How many dead letters were wanted when the last portion was taken."""

    def take(self) -> list[DeadLetterMessage]:
        """Lock and return a portion of those that are wanted; none if all are done or locked by another process.

        Raises:
            Unavailable: The locks of the last portion ran out before one dead letter of it was removed.
        """
        if len(self._wanted) == self._before:
            raise Unavailable(f"{self._queue}: locks run out as soon as they are taken: is this machine's clock right?")
        page, again = list[DeadLetterMessage](), False
        while self._wanted and not page and not again:
            received = self._receiver.receive_messages(LOCKED, max_wait_time=5)
            if not received:
                break
            now = datetime.now(UTC)
            until = min(message.locked_until_utc or now for message in received)
            self._renew_at = now + (until - now) / 2
            for letter in (DeadLetterMessage(self._queue, message) for message in received):
                self._held[letter.sequence] = letter.received
                if letter.sequence in self._wanted:
                    page.append(letter)
                else:  # Its lock has run out if it comes again; without progress this would go on for ever.
                    again |= self._passed.get(letter.sequence) == len(self._wanted)
                    self._passed[letter.sequence] = len(self._wanted)
        self._before = len(self._wanted) if page else None
        return page

    def complete(self, letter: DeadLetterMessage) -> bool:
        """Remove a dead letter; return whether that was possible. If its lock has run out, it is taken again later."""
        try:
            if datetime.now(UTC) > self._renew_at:
                self._receiver.renew_message_lock(letter.received)
            self._receiver.complete_message(letter.received)
        except MessageLockLostError:
            self._held.pop(letter.sequence, None)  # It may be in the portion twice.
            return False
        self._held.pop(letter.sequence, None)
        self._wanted.discard(letter.sequence)
        return True

    def release(self) -> None:
        """Hand back all that are still locked, so that other processes need not wait for the locks to run out."""
        for received in self._held.values():
            try:
                self._receiver.abandon_message(received)
            except (MessageLockLostError, MessageAlreadySettled):
                continue
            except Exception:  # noqa: BLE001 - of a broken connection; the locks will run out
                return
