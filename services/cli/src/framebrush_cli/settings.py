"""Settings from variables other than the process's own."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from framebrush.contracts import explain
from framebrush.storage import StorageSettings
from framebrush_cli.errors import CommandFailed

S = TypeVar("S", bound=StorageSettings)
PREFIX = "FRAMEBRUSH_"
"""The prefix of the names of all variables."""


def settings_from(cls: type[S], environment: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> S:
    """Return settings from these variables, and from values that take precedence over them.

    Raises:
        CommandFailed: A setting is missing or malformed, which the text names.
    """
    values: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    try:
        return cls(**{**values, **(overrides or {})})
    except ValidationError as error:
        text = explain(error, lambda field: f"{PREFIX}{field.upper()}")
        raise CommandFailed(f"no installation to talk to: {text}, or run `framebrush up`") from None
