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
# The SDK logs a traceback for every new connection there; the worker logs one line instead.
logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)


def connect(settings: BrokerSettings) -> ServiceBusClient:
    """Return a client for one thread: clients, senders and receivers are not thread-safe. Each link is a connection."""
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.5, "try_timeout": ANSWER}
    if settings.servicebus_connection_string is not None:
        secret = settings.servicebus_connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, **options)
    from azure.identity import DefaultAzureCredential  # It takes half a second to import, and is only needed here.

    assert settings.servicebus_namespace is not None  # noqa: S101 - the settings' validator has seen to it
    return ServiceBusClient(settings.servicebus_namespace, DefaultAzureCredential(), **options)


def translate(error: Exception, what: str = "") -> FramebrushError:
    """Return our error for one that the SDK raised.

    Args:
        error: The error of the SDK.
        what: What was being sent.

    Returns:
        Unfit: the broker refuses our credentials, or does not know the queue.
        MessageTooLarge: a message is larger than the queue takes.
        Unavailable: it is another error: no connection, no answer, no credential, a busy or disabled queue.
    """
    text = ": ".join(filter(None, ("service bus", what, first_line(error))))
    match error:
        case MessageSizeExceededError():
            return MessageTooLarge(text)
        case MessagingEntityNotFoundError() | ServiceBusAuthorizationError():
            return Unfit(text)
        case ServiceBusAuthenticationError():
            # The SDK also raises this when the link for the token breaks, which says nothing about the token.
            return refusal(getattr(error.inner_exception, "status_code", None), text)
    return Unavailable(text)


@contextmanager
def translated(what: str = "") -> Iterator[None]:
    """Raise the SDK's errors within the block as our own, as :func:`translate` tells.

    Args:
        what: What is being sent, for the text of the error.

    Raises:
        Unavailable: The broker is away.
        Unfit: The broker refuses our credentials, or does not know the queue.
        MessageTooLarge: A message is larger than the queue takes.
    """
    try:
        yield
    except (AzureError, OSError) as error:
        raise translate(error, what) from error
