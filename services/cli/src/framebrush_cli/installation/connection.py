"""Finds the installation that a command talks to: by flags, else by FRAMEBRUSH_* variables, else the local stack."""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from framebrush.errors import Unfit
from framebrush.service import Settings
from framebrush.storage import StorageSettings
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home
from framebrush_cli.settings import PREFIX, settings_from

if TYPE_CHECKING:
    from framebrush.runs import Runs
    from framebrush.storage import AzureBlobs

S = TypeVar("S", bound=StorageSettings)
PANEL = "Connection (else FRAMEBRUSH_* variables, else the local stack)"
FLAGS = {
    "servicebus_connection_string": "Connection string of the Service Bus namespace.",
    "servicebus_namespace": "NAMESPACE.servicebus.windows.net, with Azure's default credential.",
    "storage_connection_string": "Connection string of the storage account.",
    "storage_account_url": "https://ACCOUNT.blob.core.windows.net, with Azure's default credential.",
    "system_storage_connection_string": "Connection string of the system's storage account, if it has one of its own.",
    "system_storage_account_url": "Its URL, with Azure's default credential.",
}


@dataclass
class Connection:
    """A connection to an installation, by what the flags say."""

    flags: dict[str, str] = field(default_factory=dict)
    home: Home | None = None
    """The local stack that is meant, whatever the variables say."""

    @property
    def available(self) -> bool:
        """Whether there is an installation to talk to: one is named, or a local stack runs here."""
        if self._named():
            return True
        home = Home.find()
        return home is not None and home.running()

    @cached_property
    def storage(self) -> StorageSettings:
        """Return the settings of storage.

        Raises:
            CommandFailed: A setting is missing or malformed.
        """
        return self.read(StorageSettings)

    @cached_property
    def settings(self) -> Settings:
        """Return all settings, of storage and of the broker.

        Raises:
            CommandFailed: A setting is missing or malformed.
        """
        found = self.read(Settings)
        secret = found.servicebus_connection_string
        if secret and "endpoint=sb://" not in secret.get_secret_value().lower():
            raise CommandFailed("the Service Bus connection string is malformed: it holds no Endpoint=sb://…")
        return found

    def read(self, cls: type[S]) -> S:
        """Return settings of another kind, as a service of this installation would read them here.

        Raises:
            CommandFailed: A setting is missing or malformed.
        """
        known = self._environment()
        if self.home is None:
            return settings_from(cls, known, self._overrides())
        # The variables of this process, which pydantic would read, are another installation's.
        fields = [(name, each) for name, each in cls.model_fields.items() if f"{PREFIX}{name.upper()}" not in known]
        return settings_from(cls, known, {name: each.get_default() for name, each in fields if not each.is_required()})

    @cached_property
    def store(self) -> "AzureBlobs":
        """Return the store of blobs."""
        settings = self.storage
        from framebrush.storage import AzureBlobs  # It takes a second to import.

        try:
            return AzureBlobs(settings)
        except ValueError as error:  # The SDK raises this for a malformed connection string.
            why = str(error).rstrip(".")
            raise CommandFailed(f"storage: {why}: look at FRAMEBRUSH_STORAGE_CONNECTION_STRING, or the flag") from None

    @cached_property
    def runs(self) -> "Runs":
        """Return the runs."""
        from framebrush.runs import Runs

        return Runs(self.store, self.storage.work_container)

    @cached_property
    def sees_runs(self) -> bool:
        """Whether runs are open to us: who may only submit films has no right in the system's account.

        Raises:
            Unavailable: Storage does not answer.
        """
        if self.storage.system_containers:
            try:
                self.store.ping()
            except Unfit:
                return False
        return True

    def _named(self) -> bool:
        return bool(self.flags) or any(os.environ.get(f"{PREFIX}{name.upper()}") for name in FLAGS)

    def _environment(self) -> Mapping[str, str]:
        home = self.home or (None if self._named() else Home.find())
        if home and not home.running():
            raise CommandFailed(f"the local stack in {home.path} does not run: `framebrush up` starts it")
        return home.read().environment if home else {}

    def _overrides(self) -> dict[str, str | None]:
        """Return the values of flags.

        A flag also overrules the variables of the other way to reach the same backend, and of its other account.
        """
        backends = {_backend(name) for name in self.flags}
        return {name: self.flags.get(name) for name in FLAGS if _backend(name) in backends}


def _backend(flag: str) -> str:
    return "servicebus" if flag.startswith("servicebus") else "storage"


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the connection flags. They become its first argument, a :class:`Connection`."""

    @wraps(command)
    def wrapper(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in FLAGS}
        command(Connection({name: value for name, value in given.items() if value}), **arguments)

    own = list(inspect.signature(command).parameters.values())[1:]
    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(help=text, rich_help_panel=PANEL, show_default=False)],
        )
        for name, text in FLAGS.items()
    ]
    # What typer reads to find the parameters.
    wrapper.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in [*own, *flags]}
    return wrapper
