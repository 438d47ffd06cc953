"""Azure Service Bus: connections, and messages to and from the wire."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSender
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import ServiceBusError

from framebrush.errors import Unavailable
from framebrush.messages import ItemFailed, Message
from framebrush.settings import BrokerSettings

ATTEMPTS = "framebrush-attempts"
"""Failed attempts of this message's earlier copies."""
COPIES = "framebrush-copies"
"""How many copies came before; keeps each copy's message id its own."""
RUN = "framebrush-run"

logging.getLogger("azure").setLevel(logging.WARNING)
# Every reconnect logs a traceback of its own there; the worker says it in one line.
logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)


def connect(settings: BrokerSettings) -> ServiceBusClient:
    """A client for one thread: clients, senders and receivers are not thread-safe, and each link is a connection."""
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.5}
    if settings.servicebus_connection_string is not None:
        secret = settings.servicebus_connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, **options)
    from azure.identity import DefaultAzureCredential  # half a second to import, and only needed here

    assert settings.servicebus_namespace is not None  # noqa: S101 - the settings' validator has seen to it
    return ServiceBusClient(settings.servicebus_namespace, DefaultAzureCredential(), **options)


@contextmanager
def translated() -> Iterator[None]:
    """The SDK's errors as ours."""
    try:
        yield
    except (ServiceBusError, AzureError, OSError) as error:
        raise Unavailable(
            f"service bus: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


class Outbox:
    """Sends messages to the queues they belong to, over one connection per queue."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client, self._stack = client, ExitStack()
        self._senders: dict[str, ServiceBusSender] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self, queues: Iterable[str]) -> None:
        """Connect to queues ahead of the first message.

        Raises:
            Unavailable: the broker is away, or a queue does not exist.
        """
        with translated():
            for queue in queues:
                self._sender(queue)

    def send(self, message: Message) -> None:
        """Send one message; it is the broker's when this returns.

        Raises:
            Unavailable: the broker is away; the message may or may not have arrived.
        """
        properties: dict[str | bytes, object] = {RUN: message.run_id} if message.run_id else {}
        wire = ServiceBusMessage(
            message.encode(),
            message_id=message.message_id,
            subject=message.kind,
            content_type="application/json",
            application_properties=properties,  # type: ignore[arg-type]
        )
        with translated():
            self._sender(message.queue).send_messages(wire)

    def send_copy(self, queue: str, received: ServiceBusReceivedMessage, *, delay: float, attempts: int) -> None:
        """Schedule a copy of a received message, ``delay`` seconds from now.

        The copy's id follows from the original's: if the process dies before the original is completed, the second
        copy is a duplicate for the broker.
        """
        copies = number_property(received, COPIES) + 1
        # A message without an id must not share its copies' ids with the next of that kind.
        base = str(received.message_id or f"sequence-{received.sequence_number}")
        if copies > 1:
            base = base.rpartition("~")[0] or base
        wire = ServiceBusMessage(
            body_of(received),
            message_id=f"{base[:112]}~{copies}",
            subject=received.subject,
            content_type=received.content_type,
            application_properties={
                # Read as bytes; written back as such, "our" keys would stand twice in the map.
                **{_text(key): _text(value) for key, value in (received.application_properties or {}).items()},
                ATTEMPTS: attempts,
                COPIES: copies,
            },
        )
        with translated():
            self._sender(queue).schedule_messages(wire, datetime.now(UTC) + timedelta(seconds=delay))

    def _sender(self, queue: str) -> ServiceBusSender:
        if queue not in self._senders:
            self._senders[queue] = self._stack.enter_context(self._client.get_queue_sender(queue))
        return self._senders[queue]


def body_of(received: ServiceBusReceivedMessage) -> bytes:
    """The body, whatever it was sent as."""
    body: Any = received.body
    if received.body_type is AmqpMessageBodyType.DATA:
        return b"".join(body)
    return body if isinstance(body, bytes) else str(received).encode()  # a string arrives as bytes, too


def failure_notice(
    queue: str, received: ServiceBusReceivedMessage, run_id: str, reason: str, description: str
) -> ItemFailed:
    """What the dispatcher is told of a message of a run that became a dead letter."""
    return ItemFailed(
        run_id=run_id,
        source=queue,  # type: ignore[arg-type]  # one of QUEUES
        item=str(received.message_id)[:128],
        reason=reason[:128],
        description=description[:4096],
        body=body_of(received).decode(errors="replace")[:32768],
    )


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def number_property(received: ServiceBusReceivedMessage, name: str) -> int:
    """A counter of ours among the application properties, whose keys arrive as bytes; 0 when absent or foreign."""
    properties = received.application_properties or {}
    value = properties.get(name.encode(), properties.get(name, 0))
    return value if isinstance(value, int) else 0
