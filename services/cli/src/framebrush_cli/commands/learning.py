"""``framebrush styles learn``: a picture becomes a style of the library."""

import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from framebrush.contracts import BlobRef, LearningState, LearningStatus, LearningTurn, LearnRequest, explain
from framebrush.errors import BlobNotFound
from framebrush.styles import LearningJobs, Library
from framebrush.units import duration
from framebrush_cli.display import err, local, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, check_name, connected, find_input

FILMS = 8
"""The most films of the input container that are learned on if none are named."""
INTERVAL = 2.0
"""The seconds between two looks at a learning job."""


@connected
def learn(
    connection: Connection,
    picture: Annotated[
        str, typer.Argument(metavar="PICTURE", help="A picture file, or the name of a blob in the styles container.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the style.  [default: the picture's]")] = None,
    content: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILM",
            help="Film or picture to learn on, a file or a blob of the input container; repeatable. It decides what "
            "the style can paint well.  [default: the newest films of the input container]",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="One line that tells what it is: painter, picture, year.")] = None,
    steps: Annotated[int | None, typer.Option(help="More of them come closer to the picture.  [default: 2400]")] = None,
    stability: Annotated[
        float | None, typer.Option(help="Weight of holding still against looking like the picture.  [default: 1.0]")
    ] = None,
    strokes: Annotated[bool, typer.Option(help="Lay paintings in strokes that follow the shapes of the frame.")] = True,
    seed: Annotated[int | None, typer.Option(help="Seed of the random numbers.  [default: 0]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a style of this name once it is learned.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until it is learned.")] = False,
) -> None:
    """Learn to paint like a picture, on the installation's GPUs, and add the style to the library.

    The same command goes on with a job that failed or was ended.

    With `--wait` the exit code is 0 if it was learned, else 1.

    Example: `framebrush styles learn starry_night.jpg --name starry-night --content holiday.mp4 --wait`
    """
    settings, store = connection.settings, connection.store
    library, jobs = Library(store, settings.styles_container), LearningJobs(store, settings.styles_container)
    named = NamedPicture.read(picture)
    name = check_name(name or Path(picture).stem)
    given = {"title": title, "steps": steps, "stability": stability, "strokes": strokes, "seed": seed}
    blob = named.find(connection.store, settings.styles_container)
    films = [find_input(connection.store, settings.input_container, film).ref for film in content or ()]
    try:
        request = LearnRequest(
            name=name,
            picture=blob.ref.name,
            content=tuple(films or _newest_films(connection)),
            **{field: value for field, value in given.items() if value is not None},  # type: ignore[arg-type]
        )
    except ValidationError as error:
        raise CommandFailed(explain(error)) from None
    job = jobs.resolve(request)
    status = _status(jobs, job.job)
    if status is None and library.find(name) and not force:
        raise CommandFailed(f"the library has a style {name}: --force replaces it, --name gives another name")
    if status is None or status.state is not LearningState.SUCCEEDED:
        _send(connection, jobs, request, status)
    if wait:
        status = _follow(jobs, job.job, name)
    out.print(escape(f"{name}: {summarise(status)}" if status else f"{name}: queued; `framebrush styles show {name}`"))
    if status and status.state in (LearningState.FAILED, LearningState.CANCELLED) and wait:
        raise typer.Exit(1)


def _newest_films(connection: Connection) -> list[BlobRef]:
    blobs = sorted(connection.store.list(connection.storage.input_container), key=lambda blob: blob.modified)
    films = [blob.ref for blob in blobs if blob.size][-FILMS:]
    if not films:
        raise CommandFailed("there are no films to learn on: name some with --content")
    return films


def _send(connection: Connection, jobs: LearningJobs, request: LearnRequest, status: LearningStatus | None) -> None:
    """Send the request. A job that failed or was ended goes on from its checkpoint."""
    from framebrush.messaging import MessageSender, connect, translated

    with translated(), connect(connection.settings) as client, MessageSender(client) as sender:
        if status is not None and status.state.ended:
            jobs.reopen(status.job)
            # The broker remembers the messages of the first time by their ids.
            sender.send(LearningTurn(job=status.job, turn=int(time.time()) % 2**31))
        elif status is None:
            sender.send(request)


def _follow(jobs: LearningJobs, job: str, name: str) -> LearningStatus:
    """Show progress until the job ends, and return how it ended."""
    columns = (TextColumn(f"{escape(name)}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    said = 0.0
    try:
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task("", total=None, note="waiting for a learner")
            while (status := _status(jobs, job)) is None or not status.state.ended:
                if status is not None:
                    bar.update(task, total=status.steps, completed=status.step, note=_left(status))
                    if not err.is_terminal and time.monotonic() - said >= 15:
                        err.print(escape(f"{name}: {summarise(status)}"))
                        said = time.monotonic()
                time.sleep(INTERVAL)
    except KeyboardInterrupt:
        err.print(f"It goes on: [bold]framebrush styles show {name}[/], [bold]framebrush styles remove {name}[/]")
        raise typer.Exit(130) from None
    return status


def summarise(status: LearningStatus) -> str:
    """Return how a job stands, in one line."""
    text = f"{status.state}, step {status.step} of {status.steps}"
    if status.loss is not None:
        text += f", loss {status.loss:.4f}"
    if status.state is LearningState.LEARNING:
        return f"{text}; {_left(status)}, last seen {local(status.updated)}"
    if status.error:
        return f"{text}: {status.error.reason}: {status.error.description}"
    return f"{text} in {duration(status.seconds)}"


def _left(status: LearningStatus) -> str:
    if not status.step:
        return "preparing"
    return f"about {duration(status.seconds / status.step * (status.steps - status.step))} left"


def _status(jobs: LearningJobs, job: str) -> LearningStatus | None:
    try:
        return jobs.status(job)
    except BlobNotFound:
        return None
