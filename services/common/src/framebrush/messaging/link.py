"""One queue's connection for sending, which is made anew when it is broken or silent."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusCommunicationError, ServiceBusConnectionError

BROKEN = (OperationTimeoutError, ServiceBusCommunicationError, ServiceBusConnectionError)


class SendingLink:
    """Sends to one queue. The SDK keeps a connection that did not answer in time; this one does not."""

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

    def send_messages(self, message: ServiceBusMessage) -> None:
        """Send a message, if need be a second time over a new connection: the broker knows its id.

        Raises:
            ServiceBusError: the broker refuses the message, or does not answer.
        """
        self._try(lambda sender: sender.send_messages(message))

    def schedule_messages(self, message: ServiceBusMessage, time: datetime) -> None:
        """Send a message like :meth:`send_messages`; it arrives in the queue at a time, which has a time zone."""
        self._try(lambda sender: sender.schedule_messages(message, time))

    def _try(self, send: Callable[[ServiceBusSender], object]) -> None:
        try:
            self._attempt(send)
        except BROKEN:
            self._attempt(send)

    def _attempt(self, send: Callable[[ServiceBusSender], object]) -> None:
        try:
            send(self._opened())
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
            with suppress(Exception):  # it is given up, whatever it says
                sender.close()
