"""Azure Service Bus: connections, and messages to and from the wire."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from framebrush.errors import FramebrushError, MessageTooLarge, Unavailable, Unfit, first_line, refusal
from framebrush.messaging.settings import BrokerSettings
from framebrush.messaging.transport import ANSWER

logging.getLogger("azure").setLevel(logging.WARNING)
# Every reconnect logs a traceback of its own there; the worker says it in one line.
logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)


def connect(settings: BrokerSettings) -> ServiceBusClient:
    """A client for one thread: clients, senders and receivers are not thread-safe, and each link is a connection."""
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.5, "try_timeout": ANSWER}
    if settings.servicebus_connection_string is not None:
        secret = settings.servicebus_connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, **options)
    from azure.identity import DefaultAzureCredential  # half a second to import, and only needed here

    assert settings.servicebus_namespace is not None  # noqa: S101 - the settings' validator has seen to it
    return ServiceBusClient(settings.servicebus_namespace, DefaultAzureCredential(), **options)


def translate(error: Exception, what: str = "") -> FramebrushError:
    """Return our error for one that the SDK raised.

    Args:
        error: The SDK's.
        what: What was being sent.

    Returns:
        Unfit: the broker refuses our credentials, or does not know the queue.
        MessageTooLarge: a message is larger than the queue takes.
        Unavailable: anything else: no connection, no answer, no credential to be had, a busy or disabled queue.
    """
    text = ": ".join(filter(None, ("service bus", what, first_line(error))))
    match error:
        case MessageSizeExceededError():
            return MessageTooLarge(text)
        case MessagingEntityNotFoundError() | ServiceBusAuthorizationError():
            return Unfit(text)
        case ServiceBusAuthenticationError():
            # Also raised when the link for the token breaks, which says nothing about the token.
            return refusal(getattr(error.inner_exception, "status_code", None), text)
    return Unavailable(text)


@contextmanager
def translated(what: str = "") -> Iterator[None]:
    """Raise the SDK's errors within the block as ours, see :func:`translate`.

    Args:
        what: What is being sent, for the text of the error.

    Raises:
        Unavailable: as told there.
        Unfit: as told there.
        MessageTooLarge: as told there.
    """
    try:
        yield
    except (AzureError, OSError) as error:
        raise translate(error, what) from error
