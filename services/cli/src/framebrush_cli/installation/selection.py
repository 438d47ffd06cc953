"""Finds the run that a person means."""

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from framebrush.contracts import RUN_ID_PATTERN
from framebrush_cli.errors import CommandFailed

if TYPE_CHECKING:
    from framebrush.runs import Runs

RunArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or as much of its beginning as makes it unique.")
]


def resolve(runs: "Runs", text: str) -> str:
    """Return the id of the run whose id is ``text``, or alone begins with it.

    Raises:
        CommandFailed: There is no such run, or there are several.
    """
    if not re.fullmatch(RUN_ID_PATTERN, text):
        raise CommandFailed(f"{text!r} is no run id: `framebrush runs` lists them")
    found = [run_id for run_id, _ in runs.ids(text)]
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    if not found:
        raise CommandFailed(f"no run {text}: `framebrush runs` lists them")
    more = ", …" if len(found) > 5 else ""
    raise CommandFailed(f"{text} is the beginning of {len(found)} runs: {', '.join(found[:5])}{more}")
