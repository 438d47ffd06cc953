"""``framebrush submit``: start a run."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from framebrush.contracts import CONTAINERS, FORMATS, RunRequest, State
from framebrush.runs import Runs
from framebrush_cli.commands.request import bits_per_second, start
from framebrush_cli.commands.watch import follow
from framebrush_cli.display import err, out, outcome
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, connected, style_names

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
        float | None, typer.Option(rich_help_panel=PANEL, help="How much of the painting, 0 to 1.  [default: 1]")
    ] = None,
    keep_colors: Annotated[
        bool | None, typer.Option("--keep-colors", rich_help_panel=PANEL, help="The video's own colours.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(rich_help_panel=PANEL, help="Size of the brush, 0.25 to 4.  [default: 1]")
    ] = None,
    strokes: Annotated[
        bool | None, typer.Option(rich_help_panel=PANEL, help="Brush strokes, or none.  [default: the style's]")
    ] = None,
    smoothing: Annotated[
        float | None,
        typer.Option(rich_help_panel=PANEL, help="Average with neighbouring frames, 0 to 1.  [default: 0]"),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(rich_help_panel=OUTPUT, help=f"Of the output: {', '.join(CONTAINERS)}.  [default: h264]"),
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
        str | None,
        typer.Option(rich_help_panel=OUTPUT, help="auto, yuv420p, yuv422p, yuv444p or rgb.  [default: auto]"),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="Per channel: 8 or 10.  [default: what the codec has, 8 if it has both]"
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=OUTPUT, help="software, or nvenc where the installation has it.  [default: software]"
        ),
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
        str | None,
        typer.Option(
            rich_help_panel=PANEL, help="Frames between the stages: jpeg, or png without loss.  [default: jpeg]"
        ),
    ] = None,
    jpeg_quality: Annotated[
        int | None,
        typer.Option(rich_help_panel=PANEL, help="Quality of JPEG frames between the stages, 1 to 100.  [default: 95]"),
    ] = None,
    batch_frames: Annotated[
        int | None,
        typer.Option(
            rich_help_panel=PANEL, help="Frames per score message, 1 to 64.  [default: by the size of the frames]"
        ),
    ] = None,
    bad_frames: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=PANEL,
            help="Frames that cannot be scored: fail, keep_original, hold_previous.  [default: fail]",
        ),
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
        "strength": strength, "keep_colors": keep_colors, "scale": scale, "strokes": strokes,
        "smoothing": smoothing,
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
