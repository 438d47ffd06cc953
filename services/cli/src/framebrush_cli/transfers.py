"""How far uploads and downloads are, as people read it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from framebrush.units import duration, size
from framebrush_cli.display import err

INTERVAL = 5.0
"""The seconds between two lines, where there is no terminal."""

Watcher = Callable[[Task], None]


class _Amount(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(amount(task))


def amount(task: Task) -> str:
    """Return how much has come, and of what, and the time that is left, as far as these are known."""
    done = size(task.completed)
    if task.total is None:
        return done
    left = "" if task.finished or task.time_remaining is None else f", about {duration(task.time_remaining)} left"
    return f"{done} of {size(task.total)} ({task.percentage:.0f} %){left}"


def progress_bar(*, shown: bool = True) -> Progress:
    """Return a progress bar for transfers. It is on standard error, so that standard output stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), _Amount(Column(no_wrap=True)))
    return Progress(*columns, console=err, transient=True, disable=not (shown and err.is_terminal))


@contextmanager
def transfer(what: str, total: int | None, watcher: Watcher | None = None) -> Iterator[Callable[[int], None]]:
    """Show how far a transfer is: by a bar, or where there is no terminal by a line from time to time.

    Args:
        what: What is done, as a participle.
        total: The bytes of all; None if they are not known.
        watcher: Is told instead of the terminal, with each part.

    Yields:
        A function that takes the bytes of the part that has come.
    """
    with progress_bar(shown=watcher is None) as progress:
        number, told = progress.add_task(what, total=total), time.monotonic()

        def advance(count: int) -> None:
            nonlocal told
            progress.advance(number, count)
            [task] = progress.tasks
            if watcher:
                watcher(task)
            elif not err.is_terminal and time.monotonic() >= told + INTERVAL:
                told = time.monotonic()
                err.print(f"{what}: {amount(task)}")

        yield advance
