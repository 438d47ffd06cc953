"""The loop of every service: receive, handle, settle."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError
from prometheus_client import Counter, Gauge, Histogram

from framebrush.contracts import FLOW, ITEM_FAILED, Incoming, Message, decode, find_run_id
from framebrush.errors import FramebrushError, Interrupt
from framebrush.messaging.client import connect, translated
from framebrush.messaging.context import bind_run, current_run, run_context
from framebrush.messaging.locks import LockKeeper
from framebrush.messaging.retry import Abandon, Complete, DeadLetter, Decision, Leave, Retry, RetryPolicy, decide
from framebrush.messaging.sender import MessageSender
from framebrush.messaging.settings import WorkerSettings
from framebrush.messaging.wire import ATTEMPTS, body_of, failure_notice, number_property

log = logging.getLogger(__name__)

OUTCOMES = {
    Complete: "completed",
    Abandon: "abandoned",
    Leave: "lock_lost",
    Retry: "retried",
    DeadLetter: "dead_lettered",
}
_messages = Counter("framebrush_messages_total", "Messages settled.", ["queue", "outcome"])
_in_progress = Gauge("framebrush_messages_in_progress", "Messages being handled.", ["queue"])
_seconds = Histogram(
    "framebrush_message_seconds",
    "Time to handle a message.",
    ["queue"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
_wait = Histogram(
    "framebrush_message_wait_seconds",
    "Time from a message's arrival in its queue to its receipt.",
    ["queue"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
_last = Gauge("framebrush_last_message_timestamp_seconds", "When a message was last settled (Unix time).", ["queue"])

Handler = Callable[[Incoming], Iterable[Message]]
"""Does the work of one message, and yields the messages that follow from it as soon as they are due. They are sent as
they come; the message itself is settled when the handler is through."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A queue, and what to do with its messages."""

    queue: str
    handler: Handler
    concurrency: int = 1
    """Messages that are handled at a time."""


class Worker:
    """Consumes queues with a thread, a connection and at most one message per slot."""

    def __init__(
        self, consumers: Iterable[Consumer], settings: WorkerSettings, policy: RetryPolicy | None = None
    ) -> None:
        self._settings = settings
        policy = policy or RetryPolicy(max_attempts=settings.max_attempts)
        self._leases = LockKeeper(settings.message_timeout)
        self._stop = threading.Event()
        self._slots = [
            _Slot(consumer, number, settings, policy, self._leases, self._stop)
            for consumer in consumers
            for number in range(consumer.concurrency)
        ]

    def start(self) -> None:
        """Begin to consume."""
        self._leases.start()
        for slot in self._slots:
            slot.start()

    def drain(self) -> bool:
        """Take no more messages; finish those in hand within the grace period, hand back the others.

        Returns:
            Whether every slot came to an end.
        """
        self._stop.set()
        self._join(self._settings.drain_grace)
        self._leases.drain()
        self._join(5.0)
        self._leases.stop()
        return not any(slot.is_alive() for slot in self._slots)

    @property
    def last_settled(self) -> float:
        """When a message was last settled and counted, on the monotonic clock; minus infinity if none was."""
        return max((slot.last_settled for slot in self._slots), default=float("-inf"))

    def _join(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for slot in self._slots:
            slot.join(max(0.0, end - time.monotonic()))

    def live(self) -> str | None:
        """What is wrong, if only a restart can mend it."""
        begun = (slot for slot in self._slots if slot.ident is not None)
        if not all(slot.is_alive() for slot in begun) and not self._stop.is_set():
            return "a consumer thread died"
        return "a handler does not end" if self._leases.overdue(margin=60) else None

    def ready(self) -> str | None:
        """What keeps it from working."""
        if self._stop.is_set():
            return "draining"
        away = sorted({slot.consumer.queue for slot in self._slots if not slot.connected})
        return f"not connected to {', '.join(away)}" if away else None


class _Slot(threading.Thread):
    """One thread: one receiver, one message at a time."""

    def __init__(
        self,
        consumer: Consumer,
        number: int,
        settings: WorkerSettings,
        policy: RetryPolicy,
        leases: LockKeeper,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"{consumer.queue}-{number}", daemon=True)
        self.consumer, self.connected, self.last_settled = consumer, False, float("-inf")
        self._settings, self._policy, self._leases, self._stop_event = settings, policy, leases, stop
        for outcome in OUTCOMES.values():
            _messages.labels(consumer.queue, outcome)  # zeros are exported, so that rates exist from the start
        for metric in (_in_progress, _seconds, _wait):
            metric.labels(consumer.queue)

    def run(self) -> None:
        """Consume until told to stop; after a broken connection begin again, ever more slowly up to 10 s."""
        pause = 0.0
        while not self._stop_event.wait(pause):
            try:
                self._consume()
            except Exception as error:  # noqa: BLE001 - whatever a connection may raise, the slot must go on
                pause = min(10.0, 2 * pause + 0.5) if not self.connected else 0.5
                log.warning("%s: connection lost, again in %.1f s: %s", self.consumer.queue, pause, error)
            self.connected = False

    def _consume(self) -> None:
        with (
            connect(self._settings) as client,
            MessageSender(client) as sender,
            translated(),
            client.get_queue_receiver(self.consumer.queue) as receiver,
        ):
            self.connected = True
            sender.open(FLOW[self.consumer.queue].sends)  # each takes the SDK half a second
            while not self._stop_event.is_set():
                for received in receiver.receive_messages(max_message_count=1, max_wait_time=1):
                    self._process(receiver, sender, received)

    def _process(
        self, receiver: ServiceBusReceiver, sender: MessageSender, received: ServiceBusReceivedMessage
    ) -> None:
        queue, started = self.consumer.queue, time.monotonic()
        if received.enqueued_time_utc is not None:  # by the broker's clock, which may differ from ours
            _wait.labels(queue).observe(max(0.0, (datetime.now(UTC) - received.enqueued_time_utc).total_seconds()))
        attempts = number_property(received, ATTEMPTS) + (received.delivery_count or 0) + 1
        with run_context(None), _in_progress.labels(queue).track_inprogress():
            error = self._handle(receiver, sender, received)
            decision = decide(error, attempts, self._policy, random.random())  # noqa: S311 - jitter
            self._report(decision, error, attempts, time.monotonic() - started)
            try:
                self._settle(receiver, sender, received, decision, attempts)
            except MessageLockLostError:
                decision = Leave()
                log.warning("the lock was lost before the message was settled: it will come again")
        _messages.labels(queue, OUTCOMES[type(decision)]).inc()
        _seconds.labels(queue).observe(time.monotonic() - started)
        _last.labels(queue).set_to_current_time()
        self.last_settled = time.monotonic()

    def _handle(
        self, receiver: ServiceBusReceiver, sender: MessageSender, received: ServiceBusReceivedMessage
    ) -> BaseException | None:
        body = body_of(received)
        try:
            with self._leases.hold(receiver, received):  # type: ignore[arg-type]  # its timeout has no None
                bind_run(find_run_id(body))
                message = decode(self.consumer.queue, body, input_container=self._settings.input_container)
                for outgoing in self.consumer.handler(message):
                    sender.send(outgoing)
        except (Exception, Interrupt) as error:  # noqa: BLE001 - every failure becomes a decision
            return error
        return None

    def _report(self, decision: Decision, error: BaseException | None, attempts: int, seconds: float) -> None:
        data = {"queue": self.consumer.queue, "outcome": OUTCOMES[type(decision)], "seconds": round(seconds, 3)}
        if error is None:
            log.info("handled", extra={"data": data})
            return
        expected = isinstance(error, FramebrushError | Interrupt)
        log.warning(
            "attempt %d failed: %s: %s", attempts, type(error).__name__, error,
            extra={"data": data}, exc_info=None if expected else error,
        )  # fmt: skip

    def _settle(
        self,
        receiver: ServiceBusReceiver,
        sender: MessageSender,
        received: ServiceBusReceivedMessage,
        decision: Decision,
        attempts: int,
    ) -> None:
        match decision:
            case Complete():
                receiver.complete_message(received)
            case Abandon():
                receiver.abandon_message(received)
            case Retry(delay, counted):
                # Service Bus has no delayed abandon. Copy first: a crash in between costs a duplicate, not the message.
                sender.send_copy(self.consumer.queue, received, delay=delay, attempts=attempts - (not counted))
                receiver.complete_message(received)
            case DeadLetter(reason, description):
                self._notify(sender, received, decision)
                receiver.dead_letter_message(received, reason=reason, error_description=description[:4096])
            case Leave():
                pass

    def _notify(self, sender: MessageSender, received: ServiceBusReceivedMessage, decision: DeadLetter) -> None:
        """Tell the dispatcher, whom KEDA would not wake for a dead letter."""
        run_id = current_run()
        if run_id is None or received.subject == ITEM_FAILED:
            return
        sender.send(failure_notice(self.consumer.queue, received, run_id, decision.reason, decision.description))
