"""Shows the progress of a training: as a bar on a terminal, and as lines of a log elsewhere."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from framebrush_scorer.training.trainer import Trainer


@contextmanager
def shown(steps: int) -> Iterator[Callable[[Trainer], None]]:
    """Show messages and progress while the context lasts.

    Args:
        steps: The number of steps of the training.

    Yields:
        A function to call with the trainer after every step.

    """
    console = Console(stderr=True)
    handlers = [RichHandler(console=console, show_path=False)] if console.is_terminal else None
    logging.basicConfig(level=logging.INFO, format="%(message)s" if handlers else "%(asctime)s %(message)s",
                        handlers=handlers)  # fmt: skip
    loss = TextColumn("loss {task.fields[loss]:.4f}")
    columns = (MofNCompleteColumn(), BarColumn(), loss, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=steps, loss=float("nan"))

        def report(trainer: Trainer) -> None:
            if trainer.losses:
                bar.update(task, loss=trainer.losses[-1])
            bar.update(task, completed=trainer.step)

        yield report
