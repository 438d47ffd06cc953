"""The settings that say where the queues are, and how a worker treats their messages."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from framebrush.environment import Containers, Environment


class BrokerSettings(Environment):
    """The settings that say where the queues are."""

    servicebus_connection_string: SecretStr | None = None
    """Connection string of the namespace; without it the namespace and Azure's default credential are used."""
    servicebus_namespace: str | None = None
    """The host of the namespace, for instance ``NAMESPACE.servicebus.windows.net``."""

    @model_validator(mode="after")
    def _namespace_is_named(self) -> Self:
        if self.servicebus_connection_string is None and self.servicebus_namespace is None:
            raise ValueError("set FRAMEBRUSH_SERVICEBUS_NAMESPACE or FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING")
        return self


class WorkerSettings(BrokerSettings, Containers):
    """The settings that say how messages are handled."""

    message_timeout: Annotated[float, Field(gt=0)] = 1800.0
    """The seconds that one message may take. Decoding of a long segment goes on in further messages."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """The number of failed attempts after which a message is dead-lettered."""
    max_deliveries: Annotated[int, Field(ge=1)] = 8
    """The number of deliveries without an end, after which a message is dead-lettered: those whose process died or lost
    the lock. It must be less than the queue's maximum delivery count, at which the broker does so without a notice."""
    drain_grace: Annotated[float, Field(ge=0)] = 30.0
    """The seconds after SIGTERM in which messages in hand are finished. Then they are handed back."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """The number of messages that are handled at a time."""
