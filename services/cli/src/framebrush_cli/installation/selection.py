"""Finds the run that a person means."""

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from framebrush.contracts import RUN_ID_PATTERN, run_stem
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation.completion import open_run_ids, run_ids

if TYPE_CHECKING:
    from framebrush.runs import Runs

RunArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, as much of its beginning as makes it unique, or a film: its newest run.",
        autocompletion=run_ids,
    ),
]

OpenRunArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, or as much of its beginning as makes it unique.",
        autocompletion=open_run_ids,
    ),
]


def resolve(runs: "Runs", text: str, *, newest: bool = True) -> str:
    """Return the id of a run: ``text`` is its id, or alone begins it, or names the film of which it is the newest run.

    Args:
        runs: The runs.
        text: What was given.
        newest: Whether a film may be named. Where something ends by it, a run has to be named.

    Raises:
        CommandFailed: There is no such run, or there are several.
    """
    is_id = re.fullmatch(RUN_ID_PATTERN, text)
    found = [run_id for run_id, _ in runs.ids(text)] if is_id else []
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    derived = re.compile(rf"{re.escape(run_stem(text))}-[0-9a-f]{{12}}")
    of_film = [run_id for run_id, _ in runs.ids(f"{run_stem(text)}-") if derived.fullmatch(run_id)]
    if newest and text and of_film and len(of_film) >= len(found):
        return max(of_film, key=lambda run_id: runs.status(run_id).created)
    if not is_id:
        raise CommandFailed(f"{text!r} is no run id, and no film that has runs: `framebrush runs` lists them")
    if not found:
        raise CommandFailed(f"no run {text}: `framebrush runs` lists them")
    more = ", …" if len(found) > 5 else ""
    raise CommandFailed(f"{text} is the beginning of {len(found)} runs: {', '.join(found[:5])}{more}")
