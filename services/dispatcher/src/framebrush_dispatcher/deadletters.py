"""Watches the dead-letter queues for messages that the broker itself gave up, after too many deliveries.

A dead letter keeps the sequence number that its message got when it was sent. New ones therefore appear anywhere in
their queue, and only a look at all dead letters finds all new ones. Such a sweep costs a credit for each dead letter,
and a namespace of the Standard tier has 1,000 credits in a second. So the more dead letters there are, the slower the
sweeps. Between sweeps the watch looks only behind the highest number that it has seen, where most new ones are.

A dispatcher handles a dead letter once, but nothing depends on that. A new dispatcher handles all of them anew, those
that the one before it had reached in its next sweep, and a dead letter of a run that has ended or was reopened since
changes nothing.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from azure.servicebus import ServiceBusReceiver
from prometheus_client import Gauge

from framebrush.contracts import ITEM_FAILED, QUEUES, ItemFailed, Message
from framebrush.errors import Unavailable, Unfit
from framebrush.messaging import (
    BrokerSettings,
    DeadLetterMessage,
    MessageSender,
    connect,
    context_of,
    dead_letter_receiver,
    failure_notice,
    peek_page,
    run_context,
    translated,
)
from framebrush.tracing import message_span, record
from framebrush_dispatcher.lookout import Place

log = logging.getLogger(__name__)

RATE = 20.0
"""The average number of dead letters of one queue that sweeps look at in a second."""
STEP = 100
"""The number of dead letters of one queue that a sweep looks at in one turn, before it is the turn of other queues."""
STEPS_BEHIND = 10
"""The number of such steps in one turn behind the highest number that was seen, where each dead letter is new."""
REMEMBERED = 100_000
"""The number of handled dead letters of one queue to remember. Those beyond it are handled anew in every sweep."""

_letters = Gauge("framebrush_dead_letters", "Dead letters that lie in a queue, as of the last sweep.", ["queue"])


@dataclass(slots=True)
class Sweep:
    """How far the watch is with one queue."""

    queue: str
    following: int = 1
    """The sequence number at which the sweep goes on."""
    due: float = 0.0
    """When the sweep goes on, in seconds of the monotonic clock."""
    count: int = 0
    """The number of dead letters that this sweep has seen."""
    total: int = 0
    """The number of dead letters that the last sweep saw, with those that were found behind them since."""
    highest: int = 0
    """The highest sequence number that was seen."""
    handled: set[int] = field(default_factory=set)
    """The sequence numbers of dead letters that need not be handled again."""
    met: set[int] = field(default_factory=set)
    """Those of them that this sweep has seen. What a person took away is forgotten after the sweep."""

    def remember(self, sequence: int) -> None:
        """Note that this one need not be handled again, as long as it lies there."""
        if len(self.met) < REMEMBERED:
            self.met.add(sequence)
        if len(self.handled) < REMEMBERED:
            self.handled.add(sequence)

    def begin_again(self) -> None:
        """Begin the next sweep, since this one has reached the end."""
        self.handled, self.met = self.met, set()
        self.highest, self.following = self.following - 1, 1
        self.total, self.count = self.count, 0


class DeadLetterWatch:
    """Handles every dead letter once. The dead letter stays where it is, for a person to see and to replay."""

    def __init__(self, settings: BrokerSettings, handle: Callable[[ItemFailed], Iterable[Message]]) -> None:
        self._settings, self._handle = settings, handle
        self._sweeps = [Sweep(queue) for queue in QUEUES]
        self._connection = ExitStack()
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._sender: MessageSender | None = None

    @property
    def places(self) -> dict[str, Place]:
        """How far the watch is with each queue; set to go on from there."""
        return {
            each.queue: Place(
                following=each.following, highest=each.highest, count=each.count, total=max(each.total, each.count)
            )
            for each in self._sweeps
        }

    @places.setter
    def places(self, places: Mapping[str, Place]) -> None:
        for sweep in self._sweeps:
            if place := places.get(sweep.queue):
                sweep.following, sweep.highest = place.following, place.highest
                sweep.count, sweep.total = place.count, place.total

    def __call__(self) -> None:
        """Look for dead letters that were not handled yet, and handle them.

        Raises:
            Unavailable: The broker or storage is away. What was not handled is found again later.
        """
        try:
            sender = self._sender or self._connect()
            for sweep in self._sweeps:
                self._look(sweep, sender)
        except Exception:
            self._disconnect()
            raise

    def _connect(self) -> MessageSender:
        with translated():
            client = self._connection.enter_context(connect(self._settings))
            for queue in QUEUES:
                self._receivers[queue] = self._connection.enter_context(dead_letter_receiver(client, queue))
            self._sender = self._connection.enter_context(MessageSender(client))
        return self._sender

    def _disconnect(self) -> None:
        self._receivers, self._sender = {}, None
        self._connection.close()

    def _look(self, sweep: Sweep, sender: MessageSender) -> None:
        now = time.monotonic()
        if now < sweep.due or not self._sweep(sweep, sender, now):
            self._look_behind(sweep, sender)
        _letters.labels(sweep.queue).set(max(sweep.total, sweep.count))

    def _sweep(self, sweep: Sweep, sender: MessageSender, now: float) -> bool:
        """Go on with the sweep by one step; return whether it has reached the end."""
        left = STEP
        while left:
            page = peek_page(self._receivers[sweep.queue], sweep.queue, sweep.following, left)
            if not page:
                sweep.begin_again()
                return True
            left -= len(page)
            for letter in page:
                sweep.following = letter.sequence + 1
                sweep.count += 1
                self._visit(sweep, letter, sender)
            sweep.due = now + (STEP - left) / RATE
        return False

    def _look_behind(self, sweep: Sweep, sender: MessageSender) -> None:
        """Look at the dead letters behind all that were seen so far."""
        for _ in range(STEPS_BEHIND):
            page = peek_page(self._receivers[sweep.queue], sweep.queue, sweep.highest + 1, STEP)
            if not page:
                return
            for letter in page:
                self._visit(sweep, letter, sender)

    def _visit(self, sweep: Sweep, letter: DeadLetterMessage, sender: MessageSender) -> None:
        """Handle a dead letter unless that was done. Whatever is wrong with it, others are handled all the same.

        If a backend is away the dead letter is not remembered, and the next sweep sees it again. This sweep does not
        wait for it: a dead letter that meets such an error for ever must not keep others from being seen.
        """
        if letter.sequence > sweep.highest:
            sweep.highest = letter.sequence
            sweep.total += 1
        if letter.sequence not in sweep.handled:
            try:
                self._report(letter, sender)
            except (Unavailable, Unfit):
                sweep.due = 0.0
                raise
            except Exception as error:  # noqa: BLE001 - strangers may have put anything into it
                log.warning("dead letter %d of %s: %s: %s", letter.sequence, letter.queue, type(error).__name__, error)
        sweep.remember(letter.sequence)

    def _report(self, letter: DeadLetterMessage, sender: MessageSender) -> None:
        """Let the run of a dead letter fail, or go on without the message."""
        run_id = letter.run_id
        if run_id is None or letter.received.subject == ITEM_FAILED:
            return
        reason = letter.reason or "dead_lettered"
        description = letter.description or "the broker gave no description"
        failed = failure_notice(letter.queue, letter.received, run_id, reason, description)
        context = context_of(letter.received)
        with run_context(run_id), message_span(letter.queue, letter.message_id, run_id, context):
            record({"step": failed.step, "reason": reason}, description)
            for message in self._handle(failed):
                sender.send(message)
