"""The ``framebrush`` command."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from framebrush.errors import FramebrushError
from framebrush_cli.commands import dlq, get, logs, models, runs, setup, share, style, styles, submit, up, verify, watch
from framebrush_cli.display import err, out

app = typer.Typer(
    name="framebrush",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"framebrush {version('framebrush-cli')}")
        raise typer.Exit


@app.callback()
def framebrush(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Restyle videos with a neural network, frame by frame: same frames, same timing, same sound."""


LOCAL = "The stack on this machine"
app.command(rich_help_panel=LOCAL)(style.style)
app.command(rich_help_panel=LOCAL)(up.up)
app.command(rich_help_panel=LOCAL)(up.down)
RUNS = "Runs"
for command in (submit.submit, watch.watch, runs.status, logs.logs, get.get, runs.cancel, runs.runs):
    app.command(rich_help_panel=RUNS)(command)
app.command("open", rich_help_panel=RUNS)(get.show)
for command in (share.share, share.invite):
    app.command(rich_help_panel="People without a role")(command)
app.command(rich_help_panel=RUNS)(verify.verify)
app.add_typer(dlq.app, name="dlq", rich_help_panel=RUNS)
app.add_typer(styles.app, name="styles", rich_help_panel="Styles")
for command in (models.train, models.quality):
    app.command(rich_help_panel="Styles", context_settings=models.PASSED_ON)(command)
app.command(rich_help_panel="An installation")(setup.setup)


def main() -> None:
    """Run the command. An error is printed in one line."""
    try:
        app()
    except FramebrushError as error:
        err.print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(1)
    except BrokenPipeError:  # The reader of a pipe has gone.
        sys.exit(1)


if __name__ == "__main__":
    main()
