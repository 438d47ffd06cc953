"""The commands, each imported when it is asked for: with the SDKs of Azure, importing all would take a second."""

from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

LOCAL, RUNS, PEOPLE, STYLES, INSTALLATION = (
    "The stack on this machine",
    "Runs",
    "People without a role",
    "Styles",
    "An installation",
)

COMMANDS = {
    "style": ("style:style", LOCAL),
    "preview": ("preview:preview", LOCAL),
    "ui": (".ui.command:ui", LOCAL),
    "up": ("up:up", LOCAL),
    "down": ("up:down", LOCAL),
    "submit": ("submit:submit", RUNS),
    "watch": ("watch:watch", RUNS),
    "status": ("runs:status", RUNS),
    "logs": ("logs:logs", RUNS),
    "get": ("get:get", RUNS),
    "cancel": ("runs:cancel", RUNS),
    "runs": ("runs:runs", RUNS),
    "open": (".ui.command:show", RUNS),
    "verify": ("verify:verify", RUNS),
    "dlq": ("dlq:app", RUNS),
    "share": ("share:share", PEOPLE),
    "invite": ("share:invite", PEOPLE),
    "styles": ("styles:app", STYLES),
    "train": ("models:train", STYLES),
    "quality": ("models:quality", STYLES),
    "setup": ("setup:setup", INSTALLATION),
}
"""Where each command is, a function or a group of commands, and the part of the help in which it stands.

A place is relative to :mod:`framebrush_cli.commands`.
"""


MORE: dict[str, object] = {"ignore_unknown_options": True, "allow_extra_args": True}
NO_HELP: dict[str, object] = {"help_option_names": []}
SETTINGS = {"style": MORE, "train": MORE | NO_HELP, "quality": MORE | NO_HELP}
"""The commands that pass arguments on to another one, those of the scorer ``--help`` included."""


class _Commands(MutableMapping[str, Any]):
    """The commands by name."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], Any]] = {name: partial(load, name) for name in COMMANDS}

    def __getitem__(self, name: str) -> Any:
        return self._makers[name]()

    def __setitem__(self, name: str, command: Any) -> None:
        self._makers[name] = lambda: command

    def __delitem__(self, name: str) -> None:
        del self._makers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Menu(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as the base class has it
        """Return the names of the commands, and import none."""
        return list(self.commands)


def load(name: str) -> Any:
    """Import a command and return it, in the form of click that typer brings."""
    place, panel = COMMANDS[name]
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f".{module}", "framebrush_cli.commands"), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(name, context_settings=SETTINGS.get(name))(found)
        found = single
    command = typer.main.get_command(found)
    command.name, command.rich_help_panel = name, panel  # type: ignore[attr-defined]
    return command
