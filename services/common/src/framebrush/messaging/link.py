"""The connection to one queue for sending, which is made anew when it is broken or silent."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    OperationTimeoutError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
)

T = TypeVar("T")
BATCH = 128 * 1024
"""The largest size of all messages of one request together, in bytes. Service Bus takes twice as much or more. But the
SDK fills a batch to the limit if it may, and forgets what the envelope adds."""
BROKEN = (OperationTimeoutError, ServiceBusCommunicationError, ServiceBusConnectionError)


class SendingLink:
    """Sends to one queue. The SDK would keep a connection that did not answer in time; this class closes it."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._sender: ServiceBusSender | None = None

    def __enter__(self) -> Self:
        self._opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send_messages(self, message: ServiceBusMessage | ServiceBusMessageBatch) -> None:
        """Send a message or a batch. If that fails, send it once more over a new connection.

        The broker drops what arrived twice, by its message ids.

        Raises:
            ServiceBusError: The broker refuses the message, or does not answer.
        """
        self._try(lambda sender: sender.send_messages(message))

    def schedule_messages(self, message: ServiceBusMessage, time: datetime) -> None:
        """Send a message like :meth:`send_messages`. It arrives in the queue at ``time``, which has a time zone."""
        self._try(lambda sender: sender.schedule_messages(message, time))

    def send_batches(self, messages: Iterable[ServiceBusMessage]) -> None:
        """Send messages like :meth:`send_messages`, with as few requests as their sizes allow."""
        batch = self._batch()
        for message in messages:
            if not _fits(batch, message):
                self.send_messages(batch)
                batch = self._batch()
                if not _fits(batch, message):  # A single message may be larger than a batch may be.
                    self.send_messages(message)
        self.send_messages(batch)

    def _batch(self) -> ServiceBusMessageBatch:
        return self._try(lambda sender: sender.create_message_batch(BATCH))

    def _try(self, send: Callable[[ServiceBusSender], T]) -> T:
        try:
            return self._attempt(send)
        except BROKEN:
            return self._attempt(send)

    def _attempt(self, send: Callable[[ServiceBusSender], T]) -> T:
        try:
            return send(self._opened())
        except BROKEN:
            self._close()
            raise

    def _opened(self) -> ServiceBusSender:
        if self._sender is None:
            self._sender = self._client.get_queue_sender(self._queue).__enter__()
        return self._sender

    def _close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            with suppress(Exception):  # The connection is given up, so its errors do not matter.
                sender.close()


def _fits(batch: ServiceBusMessageBatch, message: ServiceBusMessage) -> bool:
    """Add a message to a batch; return whether there was room for it."""
    try:
        batch.add_message(message)
    except MessageSizeExceededError:
        return False
    return True
