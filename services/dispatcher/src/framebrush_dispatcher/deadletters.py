"""Watches the dead-letter queues for messages that the broker itself gave up, after too many deliveries."""

import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSubQueue
from prometheus_client import Gauge

from framebrush.contracts import ITEM_FAILED, QUEUES, ItemFailed, Message, find_run_id
from framebrush.errors import PermanentError, Unavailable
from framebrush.messaging import (
    BrokerSettings,
    MessageSender,
    body_of,
    connect,
    failure_notice,
    run_context,
    translated,
)

log = logging.getLogger(__name__)

PAGE = 100
"""Messages to peek at a time."""
COUNTED = 300
"""Up to so many letters are counted anew at every look, since a person may have taken some away."""

_letters = Gauge("framebrush_dead_letters", "Dead letters that lie in a queue, counted up to 300.", ["queue"])


class DeadLetterWatch:
    """Looks at every dead letter once; leaves it where it is, for a person to see and to replay."""

    def __init__(self, settings: BrokerSettings, handle: Callable[[ItemFailed], Iterable[Message]]) -> None:
        self._settings, self._handle = settings, handle
        self._seen = dict.fromkeys(QUEUES, 0)
        self._connection = ExitStack()
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._sender: MessageSender | None = None

    def __call__(self) -> None:
        """Handle what is new since the last call.

        Raises:
            Unavailable: the broker or storage is away; what was not handled is looked at again next time.
        """
        try:
            sender = self._sender or self._connect()
            for queue, receiver in self._receivers.items():
                self._look(queue, receiver, sender)
        except Unavailable:
            self._disconnect()
            raise

    def _look(self, queue: str, receiver: ServiceBusReceiver, sender: MessageSender) -> None:
        count, last = 0, 0
        while page := self._peek(receiver, last + 1):
            count += len(page)
            for letter in page:
                last = letter.sequence_number or 0
                if last > self._seen[queue]:
                    self._report(queue, letter, sender)
                    self._seen[queue] = last
            if count >= COUNTED:
                last = max(last, self._seen[queue])
        _letters.labels(queue).set(min(count, COUNTED))

    def _connect(self) -> MessageSender:
        with translated():
            client = self._connection.enter_context(connect(self._settings))
            for queue in QUEUES:
                receiver = client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
                self._receivers[queue] = self._connection.enter_context(receiver)
            self._sender = self._connection.enter_context(MessageSender(client))
        return self._sender

    def _disconnect(self) -> None:
        self._receivers, self._sender = {}, None
        self._connection.close()

    def _peek(self, receiver: ServiceBusReceiver, first: int) -> list[ServiceBusReceivedMessage]:
        with translated():
            return receiver.peek_messages(PAGE, sequence_number=first)

    def _report(self, queue: str, letter: ServiceBusReceivedMessage, sender: MessageSender) -> None:
        run_id = find_run_id(body_of(letter))
        if run_id is None or letter.subject == ITEM_FAILED:
            return
        reason = letter.dead_letter_reason or "dead_lettered"
        description = letter.dead_letter_error_description or "the broker gave no description"
        failed = failure_notice(queue, letter, run_id, reason, description)
        with run_context(run_id):
            try:
                for message in self._handle(failed):
                    sender.send(message)
            except PermanentError as error:
                log.warning("dead letter %s of %s: %s", letter.message_id, queue, error)
