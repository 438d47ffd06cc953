"""``framebrush submit``: start a run."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape

from framebrush.contracts import (
    CONTAINERS,
    FORMATS,
    PICTURE,
    BlobRef,
    Options,
    PinnedStyle,
    RunRequest,
    State,
    derive_run_id,
    explain,
)
from framebrush.errors import BlobNotFound, Unfit
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import BlobInfo
from framebrush.styles import Library
from framebrush_cli.commands.watch import follow
from framebrush_cli.display import err, out, outcome
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, connected, find_input, style_names
from framebrush_cli.sources import file_name, opened_source

PANEL = "How frames are treated"
OUTPUT = "How the output is encoded"
FILM = "A video file, a folder of pictures, an https: address, or a blob of the installation."
PicturesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PICTURE[=WEIGHT]",
        help="Paint like a picture: a file, or a blob of the styles container; several are blended by weight.",
    ),
]

RateOption = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="Pictures per second of a folder, such as 24 or 24000/1001.  [default: 25]"),
]


@connected
def submit(
    connection: Connection,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help=FILM)],
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a style; several make one output each.  [default: the installation's]",
            autocompletion=style_names,
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Name of any frame model, such as `identity`; several as with --style.")
    ] = None,
    style_image: PicturesOption = None,
    output: Annotated[
        str | None, typer.Option(help=f"Name of the output blob: {', '.join(FORMATS)}.  [default: by the input's]")
    ] = None,
    rate: RateOption = None,
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
    codec: Annotated[
        str | None, typer.Option(rich_help_panel=OUTPUT, help=f"Of the output: {', '.join(CONTAINERS)}.")
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="Quality, lower is better: 0 to 51, of AV1 and VP9 to 63.  [default: 20 to 28]"
        ),
    ] = None,
    bitrate: Annotated[
        str | None, typer.Option(rich_help_panel=OUTPUT, help="Bits per second instead of --crf, such as 4M or 800k.")
    ] = None,
    lossless: Annotated[
        bool | None,
        typer.Option(
            "--lossless",
            rich_help_panel=OUTPUT,
            help="The frames as they are, in RGB: h264, h265, vp9, ffv1. With --pack-codec png, bit by bit.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(rich_help_panel=OUTPUT, help="Slower is smaller: ultrafast … veryslow.  [default: medium]"),
    ] = None,
    pixel_format: Annotated[
        str | None, typer.Option(rich_help_panel=OUTPUT, help="auto, yuv420p, yuv422p, yuv444p or rgb.")
    ] = None,
    bits: Annotated[int | None, typer.Option(rich_help_panel=OUTPUT, help="Per channel: 8 or 10.")] = None,
    encoder: Annotated[
        str | None,
        typer.Option(rich_help_panel=OUTPUT, help="software, or nvenc where the installation has it."),
    ] = None,
    fast_start: Annotated[
        bool | None,
        typer.Option(
            "--fast-start/--no-fast-start",
            rich_help_panel=OUTPUT,
            help="MP4, QuickTime: index at the beginning.  [default: yes]",
        ),
    ] = None,
    fall_back: Annotated[
        bool | None,
        typer.Option(
            "--fall-back",
            rich_help_panel=OUTPUT,
            help="Where the video does not fit such an output, take the next best instead of failing.",
        ),
    ] = None,
    streams: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Sound and text that fit nowhere: fit leaves them out with a note, strict fails.  [default: fit]",
        ),
    ] = None,
    convert_audio: Annotated[
        bool | None,
        typer.Option(
            "--convert-audio",
            rich_help_panel=OUTPUT,
            help="Convert sound that the container cannot carry: to AAC, or to FLAC with --lossless.",
        ),
    ] = None,
    pack_codec: Annotated[
        str | None, typer.Option(rich_help_panel=PANEL, help="Frames between the stages: jpeg, or png without loss.")
    ] = None,
    jpeg_quality: Annotated[
        int | None, typer.Option(rich_help_panel=PANEL, help="Quality of JPEG frames between the stages, 1 to 100.")
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

        Three of it, decoded once: `framebrush submit holiday.mp4 --style oil --style comic --style poster`

        Painted like a picture: `framebrush submit holiday.mp4 --style-image starry_night.jpg --wait`

        A small one for the web: `framebrush submit holiday.mp4 --output holiday.webm --codec av1`
    """
    if style and model:
        raise CommandFailed("--style and --model name the same thing: give one of them")
    given = {
        "strength": strength, "keep_colors": keep_colors, "scale": scale, "smoothing": smoothing,
        "codec": codec, "crf": crf, "bitrate": bits_per_second(bitrate), "lossless": lossless, "preset": preset,
        "pixel_format": pixel_format, "bits": bits, "encoder": encoder, "fast_start": fast_start,
        "fall_back": fall_back, "streams": streams, "convert_audio": convert_audio,
        "pack_codec": pack_codec, "jpeg_quality": jpeg_quality, "batch_frames": batch_frames, "bad_frames": bad_frames,
    }  # fmt: skip
    pictures = [NamedPicture.read(text) for text in style_image or []]
    if wait and not connection.sees_runs:
        raise CommandFailed("--wait: runs are not open to you here; without it `framebrush get` finds the output")
    request, created = start(
        connection, video, style or model or [], pictures, given, output=output, run_id=run_id, rate=rate
    )
    _report(connection.runs, request, created=created, wait=wait, as_json=as_json)


def start(
    connection: Connection,
    video: str,
    names: Sequence[str],
    pictures: Sequence[NamedPicture],
    given: Mapping[str, Any],
    *,
    output: str | None = None,
    run_id: str | None = None,
    rate: str | None = None,
) -> tuple[RunRequest, bool]:
    """Upload what a run needs and send its request, unless it exists.

    Args:
        connection: The installation.
        video: A file, a folder of pictures, an https: address, or the name of a blob.
        names: The styles; the installation's default if there are neither styles nor pictures.
        pictures: The pictures that are painted like.
        given: Further options by their names; None stands for the default.
        output: The name of the output blob; by default it follows from the input's.
        run_id: The name of the run; by default it follows from the video and the options.
        rate: The pictures per second of a folder of pictures; see :func:`framebrush_cli.sources.opened_source`.

    Returns:
        The request with the id of its run, and whether it was sent.

    Raises:
        CommandFailed: An option is wrong, or something that was named does not exist.
        UnknownModel: There is no such style.
    """
    settings = connection.settings
    options = run_options(names, pictures, given, default=settings.default_model)
    # This comes before the upload, so that a mistake in the options costs nothing.
    request = _request(settings, file_name(video), options, output, run_id)
    styles = _pinned(connection, options)
    found = [picture.find(connection.store, settings.styles_container) for picture in pictures]
    with opened_source(video, rate) as film:
        source = find_input(connection.store, settings.input_container, film.name)
    versions = [*(blob.etag for blob in found), *(style.digest for style in styles.values())]
    request = _identified(request, source, versions)
    return request, _send(connection, request)


def _pinned(connection: Connection, options: Options) -> Mapping[str, PinnedStyle]:
    """Return the styles of the library; none where it is not open to us, and whether they exist the splitter says."""
    library = Library(connection.store, connection.settings.styles_container)
    try:
        return library.pin(options.models)
    except Unfit:
        if connection.sees_runs:
            raise
        return {}


def run_options(
    names: Sequence[str], pictures: Sequence[NamedPicture], given: Mapping[str, Any], *, default: str
) -> Options:
    """Return the options of a run.

    Args:
        names: The styles.
        pictures: The pictures that are painted like.
        given: Further options by their names; None stands for the default.
        default: The style if there are neither styles nor pictures.

    Raises:
        CommandFailed: An option is wrong.
    """
    first, *more = dict.fromkeys([PICTURE, *names] if pictures else names or [default])
    chosen = {name: value for name, value in given.items() if value is not None}
    images = tuple(picture.image for picture in pictures)
    try:
        return Options(model=first, more_models=tuple(more), style_images=images, **chosen)
    except ValidationError as error:
        raise CommandFailed(explain(error)) from None


def bits_per_second(text: str | None) -> int | None:
    """Return the bits per second of a bitrate as people write it: 4M, 800k or 1500000.

    Raises:
        CommandFailed: The text is no bitrate.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text)
    if match is None:
        raise CommandFailed(f"--bitrate {text}: expected a number such as 4M, 800k or 1500000")
    return round(float(match[1]) * {"": 1, "k": 10**3, "M": 10**6}[match[2]])


def _request(settings: Settings, name: str, options: Options, output: str | None, run_id: str | None) -> RunRequest:
    try:
        return RunRequest(
            run_id=run_id,
            input=BlobRef(container=settings.input_container, name=name),
            options=options,
            output=BlobRef(container=settings.output_container, name=output) if output else None,
        )
    except ValidationError as error:
        raise CommandFailed(explain(error)) from None


def _identified(request: RunRequest, source: BlobInfo, versions: list[str]) -> RunRequest:
    """Return the request for this input, with the id that the splitter would give it; see :func:`derive_run_id`."""
    run_id = request.run_id or derive_run_id(source.ref, source.etag, request.options, request.output, versions)
    return request.model_copy(update={"input": source.ref, "run_id": run_id})


def _send(connection: Connection, request: RunRequest) -> bool:
    """Send a request unless its run exists, as far as we may see that; return whether it was sent."""
    from framebrush.messaging import MessageSender, connect, translated

    assert request.run_id  # noqa: S101 - given or derived above
    if connection.sees_runs:
        with suppress(BlobNotFound):
            connection.runs.status(request.run_id)
            return False
    with translated(), connect(connection.settings) as client, MessageSender(client) as sender:
        sender.send(request)
    return True


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
            # What was cancelled has no dead letters, and its frames are gone.
            replay = f"To go on where it stopped: [bold]framebrush dlq replay --run {run_id}[/]; anew"
            console.print(f"{replay if status.state is State.FAILED else 'To do it anew'}: --run-id NAME")
        raise typer.Exit(1)
