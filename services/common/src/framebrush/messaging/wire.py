"""Messages as the SDK gives them: their bodies, and the properties that this project adds."""

import hashlib
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from framebrush.contracts import ItemFailed, find_generation

ATTEMPTS = "framebrush-attempts"
"""The property with the number of failed attempts of this message's earlier copies."""


COPIES = "framebrush-copies"
"""The property with the number of copies that came before, so that each copy has a message id of its own."""


DELIVERIES = "framebrush-deliveries"
"""The property with the number of deliveries without an end of this message's earlier copies, see
:func:`~framebrush.messaging.retry.check_deliveries`."""

RUN = "framebrush-run"
"""The property with the id of the run that a message belongs to."""

GENERATION = "framebrush-generation"
"""The property that tells how often a run had been reopened when its dead letter was sent again. The body of such a
message has an older number."""

TRACE = ("traceparent", "tracestate")
"""The properties with the span that sent a message, in the format of W3C's Trace Context."""

LONGEST_ID = 128
"""The number of characters that Service Bus accepts in a message id."""


def derived_id(base: str, suffix: str) -> str:
    """Return the id of a message that is made from another one: the other's id with a suffix.

    Different pairs give different ids. Where base and suffix together are longer than :data:`LONGEST_ID`, the end of
    the base gives way to a hash of all of it: a cut alone would make one id of all that agree up to there.

    Args:
        base: The id of the other message, of any length.
        suffix: The part that tells the messages apart that are made from it; at most 90 characters.
    """
    room = LONGEST_ID - len(suffix)
    if len(base) > room:
        digest = hashlib.sha256(base.encode()).hexdigest()[:32]
        base = f"{base[: room - len(digest) - 1]}#{digest}"
    return base + suffix


def body_of(received: ServiceBusReceivedMessage) -> bytes:
    """Return the body as bytes, whatever type it was sent as."""
    body: Any = received.body
    if received.body_type is AmqpMessageBodyType.DATA:
        return b"".join(body)
    return body if isinstance(body, bytes) else str(received).encode()  # A string arrives as bytes, too.


def context_of(received: ServiceBusReceivedMessage) -> dict[str, str]:
    """Return the properties with the span that sent a message. Those that are no text are left out."""
    found = {text_of(key): text_of(value) for key, value in (received.application_properties or {}).items()}
    return {name: value for name in TRACE if isinstance(value := found.get(name), str)}


def failure_notice(
    queue: str, received: ServiceBusReceivedMessage, run_id: str, reason: str, description: str
) -> ItemFailed:
    """Return the notice to the dispatcher that a message of a run became a dead letter."""
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
    """Return how often the run of a received message had been reopened when the message was sent."""
    return max(number_property(received, GENERATION), find_generation(body_of(received)))


def text_of(value: Any) -> Any:
    """Return a received key or string, which the SDK gives as bytes, as text; anything else stays as it is."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def number_property(received: ServiceBusReceivedMessage, name: str) -> int:
    """Return one of our counters among the application properties; 0 if it is missing or no number."""
    properties = received.application_properties or {}
    value = properties.get(name.encode(), properties.get(name, 0))
    return value if isinstance(value, int) else 0
