"""Sends messages to the queues that they belong to."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from types import TracebackType
from typing import Self

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage

from framebrush.contracts import Message
from framebrush.messaging.client import translated
from framebrush.messaging.link import SendingLink
from framebrush.messaging.wire import ATTEMPTS, COPIES, DELIVERIES, RUN, body_of, derived_id, number_property, text_of
from framebrush.tracing import carried


class MessageSender:
    """Sends messages to the queues that they belong to, over one connection per queue. It serves one thread."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client, self._stack = client, ExitStack()
        self._senders: dict[str, SendingLink] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self, queues: Iterable[str]) -> None:
        """Connect to queues ahead of the first message.

        Raises:
            Unavailable: The broker is away.
            Unfit: The broker refuses our credentials, or a queue does not exist.
        """
        with translated():
            for queue in queues:
                self._sender(queue)

    def send(self, message: Message) -> None:
        """Send one message. The broker has stored it when this returns.

        Raises:
            Unavailable: The broker is away; the message may or may not have arrived.
            MessageTooLarge: The queue does not take messages of this size.
        """
        with translated(f"a {message.kind} of {len(message.encode())} bytes"):
            self._sender(message.queue).send_messages(_wire(message))

    def send_all(self, messages: Iterable[Message]) -> None:
        """Send many messages with few requests. The broker has stored all of them when this returns.

        Raises:
            Unavailable: The broker is away; some of the messages may have arrived.
            MessageTooLarge: The queue does not take one of the messages; some of the others may have arrived.
        """
        for queue, group in groupby(messages, attrgetter("queue")):
            self.send_batches(queue, map(_wire, group))

    def send_batches(self, queue: str, messages: Iterable[ServiceBusMessage]) -> None:
        """Send messages that are encoded already to one queue. The errors are those of :meth:`send_all`."""
        with translated(f"messages to {queue}"):
            self._sender(queue).send_batches(messages)

    def send_copy(
        self, queue: str, received: ServiceBusReceivedMessage, *, delay: float, attempts: int, deliveries: int
    ) -> None:
        """Send a copy of a received message to its queue.

        The copy's id follows from the original's: if the process dies before the original is completed, the second
        copy is a duplicate for the broker.

        Args:
            queue: The queue that the message came from.
            received: The message.
            delay: The seconds after which the copy arrives; it arrives at once if this is 0.
            attempts: The number of failed attempts so far.
            deliveries: The number of deliveries without an end so far.

        Raises:
            Unavailable: The broker is away; the copy may or may not have arrived.
            MessageTooLarge: The queue does not take the copy, whose properties are a little larger.
        """
        copies = number_property(received, COPIES) + 1
        # Two messages without an id must not have copies with the same ids.
        base = str(received.message_id or f"sequence-{received.sequence_number}")
        if copies > 1:
            base = base.rpartition("~")[0] or base
        wire = ServiceBusMessage(
            body_of(received),
            message_id=derived_id(base, f"~{copies}"),
            subject=received.subject,
            content_type=received.content_type,
            application_properties={
                # The SDK gives keys as bytes. Written back as bytes, our own keys would stand in the map twice.
                **{text_of(key): text_of(value) for key, value in (received.application_properties or {}).items()},
                ATTEMPTS: attempts,
                DELIVERIES: deliveries,
                COPIES: copies,
            },
        )
        with translated(f"a copy of {wire.message_id}"):
            if delay:
                self._sender(queue).schedule_messages(wire, datetime.now(UTC) + timedelta(seconds=delay))
            else:
                self._sender(queue).send_messages(wire)

    def _sender(self, queue: str) -> SendingLink:
        if queue not in self._senders:
            self._senders[queue] = self._stack.enter_context(SendingLink(self._client, queue))
        return self._senders[queue]


def _wire(message: Message) -> ServiceBusMessage:
    properties = carried() | ({RUN: message.run_id} if message.run_id else {})
    return ServiceBusMessage(
        message.encode(),
        message_id=message.message_id,
        subject=message.kind,
        content_type="application/json",
        application_properties=properties,  # type: ignore[arg-type]
    )
