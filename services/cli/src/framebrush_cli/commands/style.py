"""``framebrush style``: a video from end to end, on this machine."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from framebrush.contracts import FORMATS, Options
from framebrush_cli.commands import film
from framebrush_cli.commands.request import bits_per_second
from framebrush_cli.commands.submit import RateOption
from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import FLAGS, style_names
from framebrush_cli.menu import load

ELSEWHERE = ("style", "model", "style_image", "output", "run_id", "wait", "as_json", "rate")
"""What ``submit`` has beside the options of a run."""


def style(
    context: typer.Context,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video file, a folder of pictures, or an https: address.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|FOLDER/", help=f"What to write: {', '.join(FORMATS)}.")
    ],
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--style",
            help="Name of a style; several make one file each.  [default: gouache]",
            autocompletion=style_names,
        ),
    ] = None,
    picture: Annotated[
        list[str] | None,
        typer.Option(
            "--style-image",
            metavar="PICTURE[=WEIGHT]",
            help="Paint like a picture; several are blended by weight.",
        ),
    ] = None,
    rate: RateOption = None,
    scorers: Annotated[int, typer.Option(min=1, max=16, help="Scorer processes, if they are to be started.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Style a video on this machine: start what that needs, wait for it, and stop that again.

    A folder of pictures becomes a film, or a folder of pictures with the same names if a folder is to be written.

    A stack that runs already is used, and goes on running. For an installation elsewhere: `submit`, `watch` and `get`.
    Any option of `submit` that changes the output may be given here, too.

    Example: `framebrush style holiday.mp4 -o holiday-wave.mp4 --style wave`

    Two of it, decoded once: `framebrush style holiday.mp4 -o styled/ --style wave --style ink`

    Pictures: `framebrush style shots/ -o painted/ --style oil`, or `-o painted.mp4 --rate 24`

    A small one, of the film's own colours: `framebrush style in.mp4 -o out.mp4 --keep-colors --crf 28`
    """
    options = _options(context.args)
    try:
        files = film.style(
            video,
            output=output,
            style=name or [],
            style_image=picture or [],
            rate=rate,
            scorers=scorers,
            force=force,
            **options,
        )
    except KeyboardInterrupt:
        err.print("Stopped. The same command goes on with it.")
        raise typer.Exit(130) from None
    for each in files:
        out.print(f"Ready: [bold]{escape(str(each))}[/]")


def _options(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a run that arguments of ``submit`` give.

    Raises:
        typer.Exit, click's UsageError: ``submit`` would refuse the arguments.
        CommandFailed: An argument is none of the output.
    """
    command = load("submit")
    parsed = command.make_context("framebrush submit", ["VIDEO", *arguments]).params
    given = {name: value for name, value in parsed.items() if value}
    own = sorted(
        given.keys() & {*FLAGS, "style", "model", "style_image", "output", "run_id", "wait", "as_json", "rate"}
    )
    if own:
        raise CommandFailed(f"--{own[0].replace('_', '-')} is an option of `framebrush submit` only")
    found = {name: parsed[name] for name in parsed.keys() & Options.model_fields.keys() - {"model"}}
    return {
        name: value
        for name, value in (found | {"bitrate": bits_per_second(found["bitrate"])}).items()
        if value is not None
    }
