"""Azure Service Bus: connections, and messages to and from the wire."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from framebrush.errors import Unavailable
from framebrush.messaging.settings import BrokerSettings

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
