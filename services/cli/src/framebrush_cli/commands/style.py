"""``framebrush style``: a video from end to end, on this machine."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from framebrush.contracts import FORMATS
from framebrush.errors import PermanentError
from framebrush.styles import known_models, unknown
from framebrush_cli.commands.up import stop, up
from framebrush_cli.display import out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import FLAGS, NamedPicture, style_names
from framebrush_cli.local import DEFAULT, Home
from framebrush_cli.menu import load

PROGRAM = (sys.executable, "-P", "-m", "framebrush_cli")


def style(
    context: typer.Context,
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=f"File to write: {', '.join(FORMATS)}.")],
    name: Annotated[
        str | None, typer.Option("--style", help="Name of a style.  [default: gouache]", autocompletion=style_names)
    ] = None,
    picture: Annotated[
        list[str] | None,
        typer.Option(
            "--style-image",
            metavar="PICTURE[=WEIGHT]",
            help="Paint like a picture; several are blended by weight.",
        ),
    ] = None,
    scorers: Annotated[int, typer.Option(min=1, max=16, help="Scorer processes, if they are to be started.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Style a video on this machine: start what that needs, wait for it, and stop that again.

    A stack that runs already is used, and goes on running. For an installation elsewhere: `submit`, `watch` and `get`.
    Any option of `submit` that changes the output may be given here, too.

        Example: `framebrush style holiday.mp4 -o holiday-wave.mp4 --style wave`

        A small one, of the film's own colours: `framebrush style in.mp4 -o out.mp4 --keep-colors --crf 28`
    """
    _check(video, output, name, picture or [], force=force)
    _check_options(context.args)
    chosen = ["--style", name] if name else []
    for each in picture or []:
        chosen += ["--style-image", each]
    chosen += context.args
    with _stack(scorers):
        answer = _run("submit", str(video), *chosen, "--output", _blob(video, output, chosen), "--wait", "--json")
        _run("get", json.loads(answer)["run_id"], "-o", str(output), "--force")
    out.print(f"Ready: [bold]{output}[/]")


def _check(video: Path, output: Path, name: str | None, pictures: list[str], *, force: bool) -> None:
    """Refuse what can be refused before anything is started.

    Raises:
        CommandFailed: Something is wrong with the files or the name.
    """
    if not video.is_file():
        raise CommandFailed(f"{video}: there is no such file")
    if output.suffix.lower() not in FORMATS:
        raise CommandFailed(f"{output} must end in one of: {', '.join(FORMATS)}")
    if output.exists() and not force:
        raise CommandFailed(f"{output} exists: --force overwrites it")
    if not output.parent.is_dir():
        raise CommandFailed(f"{output.parent}: there is no such folder")
    if name and pictures:
        raise CommandFailed("--style and --style-image are two ways to say how: give one of them")
    for each in pictures:
        if NamedPicture.read(each).content is None:
            raise CommandFailed(f"{each}: there is no such file")
    if name and not Home.find() and name not in known_models():
        error: PermanentError = unknown(name, known_models())
        raise CommandFailed(str(error))


def _check_options(arguments: list[str]) -> None:
    """Refuse what ``submit`` does not know, and what it has of its own here.

    Raises:
        typer.Exit, click's UsageError: ``submit`` would refuse the options.
        CommandFailed: An option is none of the output.
    """
    command = load("submit")
    parsed = command.make_context("framebrush submit", ["VIDEO", *arguments]).params
    given = {name for name, value in parsed.items() if value}
    own = sorted(given & {*FLAGS, "style", "model", "style_image", "output", "run_id", "wait", "as_json"})
    if own:
        raise CommandFailed(f"--{own[0].replace('_', '-')} is an option of `framebrush submit` only")


def _blob(video: Path, output: Path, chosen: list[str]) -> str:
    """Return a name for the output in Blob: that of the file, and what else tells two runs apart."""
    facts = video.stat()
    told = json.dumps([str(video.resolve()), facts.st_size, facts.st_mtime_ns, chosen])
    return f"{output.stem}.{hashlib.sha256(told.encode()).hexdigest()[:12]}{output.suffix.lower()}"


@contextmanager
def _stack(scorers: int) -> Iterator[None]:
    """Start the stack unless it runs; whatever comes then, stop what was started."""
    home = Home.find() or Home(DEFAULT)
    if home.running() and home.supervised():
        yield
        return
    up(scorers=scorers, data=home.path)
    try:
        yield
    finally:
        with out.status("Stopping …"):
            stop(home)


def _run(*arguments: str) -> str:
    """Run another command, which shows its progress, and return what it prints.

    Raises:
        typer.Exit: It failed. It has said why.
    """
    # Variables that name another installation do not count here.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    done = subprocess.run([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, env=ours, check=False)  # noqa: S603
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout
