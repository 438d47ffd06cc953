"""What a shell offers when one presses the tabulator: names of styles, and ids of runs."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from framebrush.contracts import State
from framebrush.errors import FramebrushError
from framebrush_cli.installation.connection import Connection

T = TypeVar("T")

MOST = 50
"""The number of runs that are offered at most."""


def style_names(incomplete: str) -> list[str]:
    """Return the names of styles that begin with what was typed: those that ship, and those of the library."""
    from framebrush.styles import known_models

    return sorted({name for name in [*known_models(), *_quietly(_library)] if name.startswith(incomplete)})


def run_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of runs that begin with what was typed, and their states."""
    found = _quietly(lambda: islice(Connection().runs.ids(incomplete), MOST))
    return [(run_id, "" if state is None else str(state)) for run_id, state in found]


def open_run_ids(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of runs that have not ended; see :func:`run_ids`."""
    ended = {str(state) for state in State if state.ended}
    return [(run_id, state) for run_id, state in run_ids(incomplete) if state not in ended]


def _library() -> Iterator[str]:
    from framebrush.styles import Library

    connection = Connection()
    yield from Library(connection.store, connection.storage.styles_container).names()


def _quietly(find: Callable[[], Iterable[T]]) -> list[T]:
    """Return what is found; nothing where there is no installation. A shell has no place for an error."""
    try:
        return list(find())
    except FramebrushError:
        return []
