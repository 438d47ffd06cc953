"""The ``framebrush`` command."""

import io
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from framebrush.errors import FramebrushError
from framebrush_cli.menu import Menu

app = typer.Typer(
    name="framebrush",
    cls=Menu,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"framebrush {version('framebrush-cli')}")
        raise typer.Exit


@app.callback()
def framebrush(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Restyle videos with a neural network, frame by frame: same frames, same timing, same sound.

    To begin with: `framebrush style holiday.mp4 -o holiday-wave.mp4 --style wave`

    Exit codes: 0 success; 1 failure, of the command or of the run that it waited for; 2 a mistake in the command line;
    130 Ctrl-C.
    """


def main() -> None:
    """Run the command. An error is printed in one line."""
    _mend_streams()
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # It logs errors, too, that are raised.
    try:
        app(prog_name="framebrush")
    except FramebrushError as error:
        _fail(str(error))
    except BrokenPipeError:  # The reader of a pipe has gone.
        sys.exit(1)
    except OSError as error:  # about a file: its name tells a person enough
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _mend_streams() -> None:
    """Let streams that are closed lead nowhere, and let characters that a stream cannot encode become escapes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - it stays open
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(text: str) -> NoReturn:
    from rich.markup import escape

    from framebrush_cli.display import err

    err.print(f"[red]error:[/] {escape(text)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
