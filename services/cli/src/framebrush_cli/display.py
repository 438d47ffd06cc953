"""Formats what the commands print on the terminal."""

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markup import escape

from framebrush.contracts import State, Status
from framebrush.units import duration

if TYPE_CHECKING:
    from PIL import Image


def _console(file: TextIO) -> Console:
    # In a pipe tables are as wide as they need to be. Otherwise a program that reads them would find ids cut off.
    # In a notebook, too, what is printed is text, and no table of HTML.
    width = None if file.isatty() else 500
    return Console(file=file, width=width, highlight=False, soft_wrap=True, force_jupyter=False)


out, err = _console(sys.stdout), _console(sys.stderr)

COLORS = {
    State.PLANNING: "cyan",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
}


def show_picture(picture: "Image.Image") -> bool:
    """Show a picture in the terminal; return whether it can show pictures, by Sixel or Kitty's graphics protocol."""
    if not out.is_terminal or not os.get_terminal_size().columns:  # A terminal may not tell its size.
        return False
    from textual_image import renderable  # It asks the terminal what it can when it is imported.

    if renderable.Image not in (renderable.SixelImage, renderable.TGPImage):
        return False
    out.print(renderable.Image(picture, width="auto", height="auto"))
    return True


def state(value: State) -> str:
    """Return a state as coloured markup."""
    return f"[{COLORS[value]}]{value}[/]"


def local(time: datetime) -> str:
    """Return a moment as text, in the time zone of this machine."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def outcome(status: Status) -> str:
    """Return how a run stands, in one line of markup."""
    line = f"{status.run_id}: {state(status.state)}"
    if status.ended:
        seconds = (status.ended - status.created).total_seconds()
        line += f" after {duration(seconds)}"
    if status.state is State.SUCCEEDED:
        rate = status.frames / max(seconds, 0.001)
        outputs = ", ".join(map(str, status.outputs))
        line += f", {status.frames} frames ({rate:.1f} frames/s), output {escape(outputs)}"
        if status.failed_frames:
            line += f", [yellow]{status.failed_frames} frames could not be scored[/]"
    if status.error:
        line += f": {escape(f'{status.error.reason}: {status.error.description}')}"
    return line
