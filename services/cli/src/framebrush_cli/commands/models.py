"""``framebrush train`` and ``framebrush quality``: the scorer's own commands, where the scorer is installed."""

import os
import sys
from importlib.util import find_spec

import typer

from framebrush_cli.errors import NotInstalled


def train(context: typer.Context) -> None:
    """Train a style, from a painter or a picture.

    Example: `framebrush train --painter pencil --out styles/pencil.safetensors --content photos`
    """
    become("framebrush_scorer.training", context.args)


def quality(context: typer.Context) -> None:
    """Measure how well a styled video holds still, and how much style it has.

    Example: `framebrush quality holiday.mp4 styled.mp4 --out report`
    """
    become("framebrush_scorer.quality", context.args)


def become(module: str, arguments: list[str]) -> None:
    """Replace this process by ``python -m module``. This function does not return.

    Raises:
        CommandFailed: The scorer is not installed.
    """
    if find_spec("framebrush_scorer") is None:
        raise NotInstalled("this needs the scorer", "scorer[training]")
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606 - no shell is wanted
