"""Messages as the SDK gives them: bodies, and the properties that are ours."""

import hashlib
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from framebrush.contracts import ItemFailed, find_generation

ATTEMPTS = "framebrush-attempts"
"""Failed attempts of this message's earlier copies."""


COPIES = "framebrush-copies"
"""How many copies came before; keeps each copy's message id its own."""


DELIVERIES = "framebrush-deliveries"
"""How often this message's earlier copies were delivered without an end, see
:func:`~framebrush.messaging.retry.check_deliveries`."""

RUN = "framebrush-run"
"""The run that a message belongs to."""

GENERATION = "framebrush-generation"
"""How often its run had been reopened when a dead letter was sent again; the body tells of an earlier time."""

LONGEST_ID = 128
"""Characters that Service Bus accepts as a message id."""


def derived_id(base: str, suffix: str) -> str:
    """Return the id of a message that is made from another one: the other's id with a suffix.

    Different pairs give different ids. Where base and suffix together are longer than :data:`LONGEST_ID`, the end of
    the base gives way to a hash of all of it: a cut alone would make one id of all that agree up to there.

    Args:
        base: The other message's id, of any length.
        suffix: Which of the messages that are made from it this one is; at most 90 characters.
    """
    room = LONGEST_ID - len(suffix)
    if len(base) > room:
        digest = hashlib.sha256(base.encode()).hexdigest()[:32]
        base = f"{base[: room - len(digest) - 1]}#{digest}"
    return base + suffix


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
        generation=generation_of(received),
        source=queue,  # type: ignore[arg-type]  # one of QUEUES
        item=str(received.message_id or f"sequence-{received.sequence_number}")[:128],
        reason=reason[:128],
        description=description[:4096],
        body=body_of(received).decode(errors="replace")[:32768],
    )


def generation_of(received: ServiceBusReceivedMessage) -> int:
    """Return how often its run had been reopened when a message was sent."""
    return max(number_property(received, GENERATION), find_generation(body_of(received)))


def text_of(value: Any) -> Any:
    """Return a received key or string, which the SDK gives as bytes, as text; anything else stays as it is."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def number_property(received: ServiceBusReceivedMessage, name: str) -> int:
    """A counter of ours among the application properties, whose keys arrive as bytes; 0 when absent or foreign."""
    properties = received.application_properties or {}
    value = properties.get(name.encode(), properties.get(name, 0))
    return value if isinstance(value, int) else 0
