"""``framebrush submit``: start a run."""

import json
from pathlib import PurePath
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape

from framebrush.documents import BlobRef, explain
from framebrush.errors import BlobNotFound
from framebrush.manifest import State
from framebrush.requests import Options, RunRequest, derive_run_id
from framebrush.runs import Runs
from framebrush.settings import Settings
from framebrush.store import BlobInfo
from framebrush_cli.connection import Connection, connected
from framebrush_cli.display import err, out, outcome
from framebrush_cli.errors import CommandFailed
from framebrush_cli.upload import find_input
from framebrush_cli.watch import follow

PANEL = "How frames are treated"


@connected
def submit(
    connection: Connection,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video file, or the name of a blob in the input container.")
    ],
    style: Annotated[str | None, typer.Option(help="Name of a style.  [default: the installation's]")] = None,
    model: Annotated[str | None, typer.Option(help="Name of any frame model, such as `identity`.")] = None,
    output: Annotated[
        str | None, typer.Option(help="Name of the output blob: .mp4, .mov, .m4v or .mkv.  [default: by the input's]")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(rich_help_panel=PANEL, help="How much of the painting, 0 to 1.")
    ] = None,
    keep_colors: Annotated[
        bool | None, typer.Option("--keep-colors", rich_help_panel=PANEL, help="The video's own colours.")
    ] = None,
    scale: Annotated[float | None, typer.Option(rich_help_panel=PANEL, help="Size of the brush, 0.25 to 4.")] = None,
    smoothing: Annotated[
        float | None, typer.Option(rich_help_panel=PANEL, help="Average with neighbouring frames, 0 to 1.")
    ] = None,
    crf: Annotated[
        int | None, typer.Option(rich_help_panel=PANEL, help="H.264 quality, 0 to 51, lower is better.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(rich_help_panel=PANEL, help="H.264 preset, ultrafast … veryslow.")
    ] = None,
    pixel_format: Annotated[
        str | None, typer.Option(rich_help_panel=PANEL, help="auto, yuv420p, yuv422p or yuv444p.")
    ] = None,
    jpeg_quality: Annotated[
        int | None, typer.Option(rich_help_panel=PANEL, help="Quality of frames between stages, 1 to 100.")
    ] = None,
    batch_frames: Annotated[int | None, typer.Option(rich_help_panel=PANEL, help="Frames per score message.")] = None,
    bad_frames: Annotated[
        str | None,
        typer.Option(rich_help_panel=PANEL, help="Frames that cannot be scored: fail, keep_original, hold_previous."),
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Name the run.  [default: from video and options]")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show progress until the run ends; exit code as `watch`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Upload a video and start a run; prints the run's id.

    The same video with the same options is the same run: submitting it again tells how that run stands.

        Example: `framebrush submit holiday.mp4 --style oil --wait`
    """
    if style and model:
        raise CommandFailed("--style and --model name the same thing: give one of them")
    given = {
        "strength": strength, "keep_colors": keep_colors, "scale": scale, "smoothing": smoothing,
        "crf": crf, "preset": preset, "pixel_format": pixel_format, "jpeg_quality": jpeg_quality,
        "batch_frames": batch_frames, "bad_frames": bad_frames,
    }  # fmt: skip
    settings = connection.settings
    options: dict[str, Any] = {"model": style or model or settings.default_model}
    options |= {name: value for name, value in given.items() if value is not None}
    # Before anything is uploaded, so that a mistake in the options costs nothing.
    request = _request(settings, PurePath(video).name, options, output, run_id)
    source = find_input(connection.store, settings.input_container, video)
    request = _identified(request, source)
    created = _send(connection, request)
    _report(connection.runs, request, created=created, wait=wait, as_json=as_json)


def _request(
    settings: Settings, name: str, options: dict[str, Any], output: str | None, run_id: str | None
) -> RunRequest:
    try:
        return RunRequest(
            run_id=run_id,
            input=BlobRef(container=settings.input_container, name=name),
            options=Options(**options),
            output=BlobRef(container=settings.output_container, name=output) if output else None,
        )
    except ValidationError as error:
        raise CommandFailed(explain(error)) from None


def _identified(request: RunRequest, source: BlobInfo) -> RunRequest:
    """The request for this input, with the id that the splitter would give it."""
    run_id = request.run_id or derive_run_id(source.ref, source.etag, request.options, request.output)
    return request.model_copy(update={"input": source.ref, "run_id": run_id})


def _send(connection: Connection, request: RunRequest) -> bool:
    """Send the request unless its run exists."""
    from framebrush.broker import Outbox, connect, translated

    assert request.run_id  # noqa: S101 - given or derived above
    try:
        connection.runs.status(request.run_id)
    except BlobNotFound:
        with translated(), connect(connection.settings) as client, Outbox(client) as outbox:
            outbox.send(request)
        return True
    return False


def _report(runs: Runs, request: RunRequest, *, created: bool, wait: bool, as_json: bool) -> None:
    run_id, console = str(request.run_id), err if as_json else out
    status = None if created else runs.status(run_id)
    if status:
        console.print(f"exists already: {outcome(status)}")
    elif not as_json:
        out.print(f"[bold]{run_id}[/]")
    if wait and not (status and status.state.ended):
        status = follow(runs, run_id, console)
    if as_json:
        document = {"run_id": run_id, "input": str(request.input), "created": created}
        document |= {"status": status.model_dump(mode="json")} if status else {}
        out.print(escape(json.dumps(document)))
    if status and status.state in (State.FAILED, State.CANCELLED):
        if not created:
            console.print(
                f"To go on where it stopped: [bold]framebrush dlq replay --run {run_id}[/]; anew: --run-id NAME"
            )
        raise typer.Exit(1)
