"""Carries out what was decided about a message, counts the outcome, and logs it once it has happened."""

import logging
import time
from collections.abc import Iterable

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError
from prometheus_client import Counter, Gauge, Histogram

from framebrush.contracts import ITEM_FAILED
from framebrush.errors import FramebrushError, Interrupt, MessageTooLarge, first_line
from framebrush.messaging.context import current_run
from framebrush.messaging.retry import Complete, DeadLetter, Decision, HandBack, Leave, Retry
from framebrush.messaging.sender import MessageSender
from framebrush.messaging.wire import ATTEMPTS, DELIVERIES, failure_notice, number_property
from framebrush.steps import summary
from framebrush.tracing import record

log = logging.getLogger(__name__)

OUTCOMES = {
    Complete: "completed",
    HandBack: "handed_back",
    Leave: "lock_lost",
    Retry: "retried",
    DeadLetter: "dead_lettered",
}
UNSETTLED = "unsettled"
"""The outcome where the broker confirmed no settlement. The message comes again unless the settlement arrived."""

_messages = Counter("framebrush_messages_total", "Messages settled.", ["queue", "outcome"])
_seconds = Histogram(
    "framebrush_message_seconds",
    "Time to handle a message.",
    ["queue"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
_last = Gauge("framebrush_last_message_timestamp_seconds", "When a message was last settled (Unix time).", ["queue"])


def export_zeros(queue: str) -> None:
    """Export the counts of a queue as zeros, so that rates exist from the start."""
    for outcome in (*OUTCOMES.values(), UNSETTLED):
        _messages.labels(queue, outcome)
    _seconds.labels(queue)


class Settlement:
    """One received message on its way to an outcome."""

    def __init__(self, queue: str, received: ServiceBusReceivedMessage) -> None:
        self.queue, self.received, self._started = queue, received, time.monotonic()
        self.attempt = number_property(received, ATTEMPTS) + 1
        """The number of this attempt, from 1. Only the message's own failures raise it."""
        self.deliveries = number_property(received, DELIVERIES) + (received.delivery_count or 0)
        """The number of earlier deliveries without an end. The broker counts those of this copy."""

    def settle(
        self, receiver: ServiceBusReceiver, sender: MessageSender, decision: Decision, error: BaseException | None
    ) -> None:
        """Carry out a decision.

        Args:
            receiver: The receiver that the message came from.
            sender: The sender of copies and notices.
            decision: What is to become of the message.
            error: The error that led to the decision; None if the handler came to its end.

        Raises:
            Exception: The broker did not confirm the settlement.
        """
        try:
            outcome = self._carry_out(receiver, sender, decision)
        except Exception as problem:
            self._report(UNSETTLED, error, [f"not settled: {first_line(problem)}"])
            raise
        self._report(outcome, error, [] if outcome == OUTCOMES[type(decision)] else ["the lock was lost meanwhile"])

    def _carry_out(self, receiver: ServiceBusReceiver, sender: MessageSender, decision: Decision) -> str:
        """Tell the broker what becomes of the message; return the outcome."""
        received = self.received
        try:
            match decision:
                case Complete():
                    receiver.complete_message(received)
                case HandBack(delay, suspect):
                    self._again(receiver, sender, delay, self.attempt - 1, self.deliveries + suspect)
                case Retry(delay, counted):
                    self._again(receiver, sender, delay, self.attempt - (not counted), self.deliveries)
                case DeadLetter(reason, description):
                    self._notify(sender, decision)
                    receiver.dead_letter_message(received, reason=reason, error_description=description[:4096])
                case Leave():
                    pass
        except MessageLockLostError:
            return OUTCOMES[Leave]
        return OUTCOMES[type(decision)]

    def _again(
        self, receiver: ServiceBusReceiver, sender: MessageSender, delay: float, attempts: int, deliveries: int
    ) -> None:
        """Replace the message by a copy.

        Service Bus can hand a message back itself ("abandon"), but only without a delay, and it counts that as a
        delivery. A message that five drains have handed back would be half-way to the broker's limit. A copy begins at
        0 deliveries, and takes our own counts with it.
        """
        try:
            # The copy comes first: a crash in between then makes a duplicate, and loses nothing.
            sender.send_copy(self.queue, self.received, delay=delay, attempts=attempts, deliveries=deliveries)
        except MessageTooLarge:  # The message fits only without our properties.
            receiver.abandon_message(self.received)
        else:
            receiver.complete_message(self.received)

    def _notify(self, sender: MessageSender, decision: DeadLetter) -> None:
        """Send the dispatcher a notice of a dead letter, for which alone KEDA would not start one."""
        run_id = current_run()
        if run_id is not None and self.received.subject != ITEM_FAILED:
            sender.send(failure_notice(self.queue, self.received, run_id, decision.reason, decision.description))

    def _report(self, outcome: str, error: BaseException | None, remarks: Iterable[str]) -> None:
        seconds = time.monotonic() - self._started
        _messages.labels(self.queue, outcome).inc()
        _seconds.labels(self.queue).observe(seconds)
        _last.labels(self.queue).set_to_current_time()
        data = {"queue": self.queue, "outcome": outcome, "attempt": self.attempt, "seconds": round(seconds, 3)}
        data |= {"message_id": self.received.message_id, "delivery": self.deliveries + 1, **summary()}
        failure = [] if error is None else [f"{type(error).__name__}: {error}".removesuffix(": ")]
        data |= record(data, "; ".join(failure) or None)
        expected = error is None or isinstance(error, FramebrushError | Interrupt)
        log.log(
            logging.INFO if outcome == OUTCOMES[Complete] else logging.WARNING,
            "; ".join(["handled" if error is None else "not handled", *failure, *remarks]),
            extra={"data": data},
            exc_info=None if expected else error,
        )
