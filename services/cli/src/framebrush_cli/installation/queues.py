"""Queues as a file declares them, and as Service Bus has them. The local broker reads the same file."""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus.management import QueueProperties, ServiceBusAdministrationClient
from pydantic import Field, ValidationError

from framebrush.contracts import Model, explain
from framebrush.errors import Unavailable, Unfit, first_line, refusal
from framebrush.messaging import BrokerSettings
from framebrush_cli.errors import CommandFailed


class QueueOptions(Model):
    """The options of one queue. Service Bus itself refuses durations that are too short for it."""

    lock_duration_s: Annotated[float, Field(gt=0, le=300)] = 60.0
    """The seconds for which a receiver has a message locked."""
    max_delivery_count: Annotated[int, Field(ge=1)] = 10
    """The number of failed deliveries after which a message is dead-lettered."""
    duplicate_detection_window_s: Annotated[float, Field(gt=0)] | None = None
    """The seconds for which a message id is remembered; None means no duplicate detection."""
    default_time_to_live_s: Annotated[float, Field(gt=0)] | None = None
    """The seconds after which a message expires; None means never."""
    dead_lettering_on_message_expiration: bool = False
    """Whether a message that expires becomes a dead letter."""
    max_size_mb: Annotated[int, Field(ge=1)] = 1024
    """The size of all messages of the queue, in megabytes, above which sends are refused."""


class _File(Model):
    queues: dict[str, QueueOptions]


def read_queues(path: Path) -> dict[str, QueueOptions]:
    """Return the queues that a file declares, as JSON or TOML by its suffix.

    Raises:
        CommandFailed: The file cannot be read. The text names the file and the field.
    """
    try:
        text = path.read_text("utf-8")
        return _File.model_validate(json.loads(text) if path.suffix == ".json" else tomllib.loads(text)).queues
    except ValidationError as error:
        raise CommandFailed(f"{path}: {explain(error)}") from None
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{path}: {getattr(error, 'strerror', None) or error}") from None


class Namespace:
    """A Service Bus namespace, through its admin API, which speaks HTTPS only.

    Raises:
        CommandFailed: The settings lead to no admin API.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        # The caller waits.
        options: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 30}
        if settings.servicebus_connection_string is not None:
            secret = settings.servicebus_connection_string.get_secret_value()
            if "usedevelopmentemulator=true" in secret.lower():
                raise CommandFailed(
                    "this connection string is for messages (UseDevelopmentEmulator=true): queues are made through "
                    "HTTPS. The stack of `framebrush up` has its queues already"
                )
            try:
                self._client = ServiceBusAdministrationClient.from_connection_string(secret, **options)
            except ValueError as error:  # The SDK raises this for a malformed connection string.
                raise CommandFailed(f"service bus: {error}") from None
        else:
            from azure.identity import DefaultAzureCredential  # It takes half a second, and only here.

            assert settings.servicebus_namespace is not None  # noqa: S101 - the settings' validator has seen to it
            self._client = ServiceBusAdministrationClient(
                settings.servicebus_namespace, DefaultAzureCredential(), **options
            )
        self.host = self._client.fully_qualified_namespace

    def create(self, name: str, options: QueueOptions) -> QueueProperties | None:
        """Create a queue, unless it exists.

        Returns:
            The properties of the queue that exists already, which stays as it is; None if this call created it.

        Raises:
            Unavailable: Service Bus does not answer yet.
            Unfit: Service Bus refuses who asks.
            CommandFailed: Service Bus refuses what is asked.
        """
        with self._translated(name):
            try:
                return self._client.get_queue(name)
            except ResourceNotFoundError:
                pass
            try:
                self._client.create_queue(name, **_as_keywords(options))
            except ResourceExistsError:  # Another process was faster.
                return self._client.get_queue(name)
        return None

    @contextmanager
    def _translated(self, queue: str) -> Iterator[None]:
        try:
            yield
        except ClientAuthenticationError as error:
            if error.status_code is None:  # There is no token, so Service Bus was not asked.
                raise CommandFailed(f"service bus: {_reason(error)}") from error
            raise Unfit(
                f"service bus: {self.host} does not let us manage queues ({_reason(error)}): this needs the role "
                "Azure Service Bus Data Owner, or a policy with the Manage claim"
            ) from error
        except AzureError as error:  # It has no status if there was no connection or no answer.
            found = refusal(getattr(error, "status_code", None), f"service bus: {self.host}: {_reason(error)}")
            if isinstance(found, Unavailable | Unfit):
                raise found from error
            raise CommandFailed(f"service bus: queue {queue}: {_reason(error)}") from error


def differences(declared: QueueOptions, found: QueueProperties) -> list[str]:
    """Return the differences between a queue and its declaration, each in a few words."""
    result = list[str]()
    window = declared.duplicate_detection_window_s
    if bool(found.requires_duplicate_detection) != (window is not None):
        has = "has" if found.requires_duplicate_detection else "has no"
        result.append(f"{has} duplicate detection, which cannot be changed: delete the queue and run this again")
    elif window is not None:
        result += _compare("duplicate detection window", found.duplicate_detection_history_time_window, window)
    result += _compare("lock duration", found.lock_duration, declared.lock_duration_s)
    if found.max_delivery_count != declared.max_delivery_count:
        result.append(f"maximum delivery count {found.max_delivery_count} instead of {declared.max_delivery_count}")
    return result


def _compare(what: str, found: object, seconds: float) -> list[str]:
    if not isinstance(found, timedelta) or found.total_seconds() == seconds:
        return []
    return [f"{what} {found.total_seconds():g} s instead of {seconds:g} s"]


def _as_keywords(options: QueueOptions) -> dict[str, Any]:
    """Return the options as the SDK's keyword arguments, with durations as timedelta."""
    keywords: dict[str, Any] = {
        "lock_duration": timedelta(seconds=options.lock_duration_s),
        "max_delivery_count": options.max_delivery_count,
        "requires_duplicate_detection": options.duplicate_detection_window_s is not None,
        "dead_lettering_on_message_expiration": options.dead_lettering_on_message_expiration,
        "max_size_in_megabytes": options.max_size_mb,
    }
    if options.duplicate_detection_window_s is not None:
        keywords["duplicate_detection_history_time_window"] = timedelta(seconds=options.duplicate_detection_window_s)
    if options.default_time_to_live_s is not None:
        keywords["default_message_time_to_live"] = timedelta(seconds=options.default_time_to_live_s)
    return keywords


def _reason(error: AzureError) -> str:
    """Return what Service Bus says, or the first line of the error, without the object with which urllib3 begins."""
    response: Any = getattr(error, "response", None)  # The SDK reads the detail of some errors only.
    if response is not None and (found := re.search(r"<Detail>(.+?)</Detail>", response.text(), re.DOTALL)):
        return " ".join(found[1].split())
    return re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", first_line(error))
