"""Settings from variables other than the process's own."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from framebrush.contracts import explain
from framebrush.storage import StorageSettings
from framebrush_cli.errors import CommandFailed

S = TypeVar("S", bound=StorageSettings)
PREFIX = "FRAMEBRUSH_"
"""What the names of all variables begin with."""


def settings_from(cls: type[S], environment: Mapping[str, str], overrides: Mapping[str, str | None] | None = None) -> S:
    """Settings from variables other than the process's own, and from values that take precedence over them.

    Raises:
        CommandFailed: naming what is missing or malformed.
    """
    values: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    try:
        return cls(**{**values, **(overrides or {})})
    except ValidationError as error:
        text = explain(error).replace("document: Value error, ", "")
        raise CommandFailed(f"no installation to talk to: {text}, or run `framebrush up`") from None
