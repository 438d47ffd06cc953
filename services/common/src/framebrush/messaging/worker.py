"""The loop of every service: receive, handle, settle."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver
from prometheus_client import Gauge, Histogram

from framebrush.contracts import FLOW, FrameRange, Incoming, Message, decode, find_run_id
from framebrush.errors import Interrupt, LockLost, Unfit
from framebrush.messaging.client import connect, translated
from framebrush.messaging.context import run_context
from framebrush.messaging.heartbeat import Heartbeat
from framebrush.messaging.locks import LockKeeper
from framebrush.messaging.retry import RetryPolicy, check_deliveries, decide
from framebrush.messaging.sender import MessageSender
from framebrush.messaging.settings import WorkerSettings
from framebrush.messaging.settlement import Settlement, export_zeros
from framebrush.messaging.transport import ANSWER
from framebrush.messaging.wire import body_of, context_of
from framebrush.steps import Delivery, collected, describe, timed
from framebrush.tracing import message_span

log = logging.getLogger(__name__)

_in_progress = Gauge("framebrush_messages_in_progress", "Messages being handled.", ["queue"])
_wait = Histogram(
    "framebrush_message_wait_seconds",
    "Time from a message's arrival in its queue to its receipt.",
    ["queue"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
REFUSALS = 3
"""The number of refused connections in a row after which this process counts as unfit. One may be a mistake."""

Handler = Callable[[Incoming], Iterable[Message]]
"""A handler does the work of one message, and yields each message that follows from it as soon as it is due. These are
sent at once. The message itself is settled when the handler has ended."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A queue, and what to do with its messages."""

    queue: str
    handler: Handler
    concurrency: int = 1
    """The number of messages that are handled at a time."""


class Worker:
    """Consumes queues with a thread, a connection and at most one message per slot."""

    def __init__(
        self, consumers: Iterable[Consumer], settings: WorkerSettings, policy: RetryPolicy | None = None
    ) -> None:
        self._settings = settings
        policy = policy or RetryPolicy(max_attempts=settings.max_attempts, max_deliveries=settings.max_deliveries)
        self._locks = LockKeeper(settings.message_timeout)
        self._begin, self._stop = threading.Event(), threading.Event()
        self._unfit: str | None = None
        self._slots = [
            _Slot(consumer, number, settings, policy, self._locks, self)
            for consumer in consumers
            for number in range(consumer.concurrency)
        ]

    def connect(self) -> None:
        """Connect to the queues, and receive nothing yet."""
        self._locks.start()
        for slot in self._slots:
            slot.start()

    def start(self) -> None:
        """Receive messages. Connect first, unless that was done before."""
        if not self._locks.alive():
            self.connect()
        self._begin.set()

    def drain(self) -> bool:
        """Take no more messages. Finish those in hand within the grace period, and hand back the others.

        Returns:
            Whether every slot came to an end.
        """
        self._stop.set()
        self._join(self._settings.drain_grace)
        self._locks.drain()
        self._join(5.0)
        self._locks.stop()
        return not any(slot.is_alive() for slot in self._slots)

    @property
    def last_settled(self) -> float:
        """Return when a message was last settled and counted, on the monotonic clock; minus infinity if none was."""
        return max((slot.last_settled for slot in self._slots), default=float("-inf"))

    def _join(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for slot in self._slots:
            if slot.ident is not None:
                slot.join(max(0.0, end - time.monotonic()))

    def mark_unfit(self, reason: str) -> None:
        """Note that this process cannot do its work, and receive no more. The first reason that was given stands."""
        if self._unfit is None:
            self._unfit = reason
            log.error("unfit: %s", reason)
        self._stop.set()

    def unfit(self) -> str | None:
        """Return why this process cannot do the work, so that it should drain and end; None while it can."""
        if not self._stop.is_set() and (problem := self._dead()):
            self.mark_unfit(problem)
        return self._unfit

    def _dead(self) -> str | None:
        """Return which thread has died that should be alive; None if none has."""
        begun = [slot for slot in self._slots if slot.ident is not None]
        if begun and not self._locks.alive():
            return "the thread that renews locks died"
        return None if all(slot.is_alive() for slot in begun) else "a consumer thread died"

    def live(self) -> str | None:
        """Return what is wrong if only a restart can mend it, else None."""
        if not self._stop.is_set() and (problem := self._dead()):
            return problem
        return "a handler does not end" if self._locks.overdue(margin=60) else None

    def ready(self) -> str | None:
        """Return what keeps the worker from receiving messages; None if nothing does."""
        if self._unfit is not None:
            return f"unfit: {self._unfit}"
        if self._stop.is_set():
            return "draining"
        away = sorted({slot.consumer.queue for slot in self._slots if not slot.connected})
        return f"not connected to {', '.join(away)}" if away else None

    def wait_to_begin(self, seconds: float) -> bool:
        """Wait until messages may be received; return whether they may."""
        return self._begin.wait(seconds)

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until no more messages may be received; return whether that is so."""
        return self._stop.wait(seconds)


class _Slot(threading.Thread):
    """A thread with one receiver, which handles one message at a time."""

    def __init__(
        self,
        consumer: Consumer,
        number: int,
        settings: WorkerSettings,
        policy: RetryPolicy,
        locks: LockKeeper,
        worker: Worker,
    ) -> None:
        super().__init__(name=f"{consumer.queue}-{number}", daemon=True)
        self.consumer, self.connected, self.last_settled = consumer, False, float("-inf")
        self._settings, self._policy, self._locks, self._worker = settings, policy, locks, worker
        export_zeros(consumer.queue)
        for metric in (_in_progress, _wait):
            metric.labels(consumer.queue)

    def run(self) -> None:
        """Consume until the worker stops. When a connection breaks begin again, after a pause that grows up to 10 s."""
        pause, refusals = 0.0, 0
        while not self._worker.wait_for_end(pause):
            try:
                self._consume()
                pause = 0.0
            except (Exception, Interrupt) as error:  # noqa: BLE001 - whatever a connection may raise, the slot must go on
                refusals = 0 if self.connected or not isinstance(error, Unfit) else refusals + 1
                if refusals == REFUSALS:
                    self._worker.mark_unfit(str(error))
                pause = min(10.0, 2 * pause + 0.5) if not self.connected else 0.5
                log.warning("%s: connection lost, again in %.1f s: %s", self.consumer.queue, pause, error)
            self.connected = False

    def _consume(self) -> None:
        with (
            connect(self._settings) as client,
            MessageSender(client) as sender,
            translated(),
            client.get_queue_receiver(self.consumer.queue, timeout=ANSWER) as receiver,
        ):
            sender.open(FLOW[self.consumer.queue].sends)  # The SDK takes half a second for each.
            self.connected, heartbeat = True, Heartbeat(receiver)
            while not self._worker.wait_to_begin(1.0):
                if self._worker.wait_for_end(0.0):
                    return
            while not self._worker.wait_for_end(0.0):
                for received in receiver.receive_messages(max_message_count=1, max_wait_time=1):
                    heartbeat.note()
                    if self._process(client, receiver, sender, received):
                        return
                heartbeat.check()

    def _process(
        self,
        client: ServiceBusClient,
        receiver: ServiceBusReceiver,
        sender: MessageSender,
        received: ServiceBusReceivedMessage,
    ) -> bool:
        """Handle and settle a message; return whether the sender's connections may be broken now."""
        queue, settlement = self.consumer.queue, Settlement(self.consumer.queue, received)
        body = body_of(received)
        run_id = find_run_id(body)
        waited, delivery, queued, taken = None, None, received.enqueued_time_utc, datetime.now(UTC)
        if queued is not None:  # This is the broker's clock, which may differ from ours.
            waited = max(0.0, (taken - queued).total_seconds())
            _wait.labels(queue).observe(waited)
            delivery = Delivery(min(queued, taken), taken, settlement.attempt + settlement.deliveries)
        with (
            run_context(run_id),
            collected(delivery),
            message_span(queue, str(received.message_id or ""), run_id, context_of(received)),
            _in_progress.labels(queue).track_inprogress(),
        ):
            describe(waited=None if waited is None else round(waited, 3))
            error = self._handle(receiver, sender, received, body, settlement.deliveries)
            if isinstance(error, Unfit):
                self._worker.mark_unfit(str(error))
            decision = decide(error, settlement.attempt, self._policy, random.random())  # noqa: S311 - jitter
            interrupted = isinstance(error, Interrupt)
            # The interrupt may have come while a message was half-way through the sender's connection.
            with MessageSender(client) if interrupted else nullcontext(sender) as sound:
                settlement.settle(receiver, sound, decision, error)
        self.last_settled = time.monotonic()
        return interrupted

    def _handle(
        self,
        receiver: ServiceBusReceiver,
        sender: MessageSender,
        received: ServiceBusReceivedMessage,
        body: bytes,
        deliveries: int,
    ) -> BaseException | None:
        """Do the work of a message. Return the error that kept it from its end, None if it came to its end."""
        done = False
        try:
            with self._locks.hold(receiver, received):  # type: ignore[arg-type]  # its timeout has no None
                check_deliveries(deliveries, self._policy)
                message = decode(self.consumer.queue, body, input_container=self._settings.input_container)
                describe(step=message.step, kind=getattr(message, "kind", None))
                describe(segment=getattr(message, "segment", None))
                describe(chunk=getattr(message, "chunk", None) or None)
                if isinstance(frames := getattr(message, "frames", None), FrameRange):
                    describe(first_frame=frames.first, frames=frames.count)
                for outgoing in self.consumer.handler(message):
                    with timed("send"):
                        sender.send(outgoing)
                done = True
        except (Exception, Interrupt) as error:  # noqa: BLE001 - every failure becomes a decision
            # An interrupt after the last line of work changes nothing, unless the lock is lost.
            return None if done and not isinstance(error, LockLost) else error
        return None
