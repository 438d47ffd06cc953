"""``framebrush verify``: compare an output with its input."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from framebrush.contracts import Check
from framebrush.errors import InvalidVideo
from framebrush_cli.display import out
from framebrush_cli.errors import CommandFailed, NotInstalled

if TYPE_CHECKING:
    from framebrush.media import MediaInfo


def verify(
    before: Annotated[Path, typer.Argument(metavar="INPUT", exists=True, dir_okay=False)],
    after: Annotated[Path, typer.Argument(metavar="OUTPUT", exists=True, dir_okay=False)],
    quality: Annotated[
        bool, typer.Option("--quality", help="Decode both and measure PSNR and SSIM: how much the frames differ.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a styled video with its original: frames, times, sound, subtitles, labels, colours.

    Exit code 0 if all agree, 1 if something differs.

    Example: `framebrush verify holiday.mp4 styled.mp4`
    """
    try:
        import av

        from framebrush.media import compare, read_media_info
    except ModuleNotFoundError as error:
        raise NotInstalled(f"verify needs the package {error.name}", "cli[verify]") from None
    infos = list["MediaInfo"]()
    for path in (before, after):
        if not path.is_file():
            raise CommandFailed(f"{path} is not a file")
        try:
            with av.open(str(path), metadata_errors="replace") as container:
                infos.append(read_media_info(container))
        except av.FFmpegError as error:
            raise CommandFailed(f"{path}: not a readable video: {error.strerror}") from None
        except InvalidVideo as error:
            raise CommandFailed(f"{path}: not a readable video: {error}") from None
    checks = compare(*infos)
    exact = all(check.ok for check in checks)
    likeness = _likeness(before, after, infos) if quality else {}
    if as_json:
        document = {"exact": exact, "checks": [check.model_dump() for check in checks], **likeness}
        out.print(escape(json.dumps(document)))
    else:
        _show(checks, likeness)
    if not exact:
        raise typer.Exit(1)


def _show(checks: tuple[Check, ...], likeness: dict[str, Any]) -> None:
    table = Table("", "input", "output", "", box=None, pad_edge=False)
    for check in checks:
        table.add_row(
            check.name, escape(check.wanted), escape(check.found), "[green]ok[/]" if check.ok else "[red]differs[/]"
        )
    out.print(table)
    for name, value in likeness.items():
        out.print(f"{name}: {value}")
    failed = sum(not check.ok for check in checks)
    out.print(f"[red]{failed} of {len(checks)} checks failed[/]" if failed else "[green]exact[/]")


def _likeness(before: Path, after: Path, infos: "list[MediaInfo]") -> dict[str, Any]:
    """Return the PSNR and SSIM of the frames, in RGB by their tags. Frames that one file alone has do not count."""
    from framebrush.media import psnr, ssim

    values = [
        (psnr(a, b), ssim(a, b)) for a, b in zip(_images(before, infos[0]), _images(after, infos[1]), strict=False)
    ]
    result = dict[str, Any]()
    for name, of_frames in zip(("psnr", "ssim"), zip(*values, strict=True), strict=True):
        # JSON has no infinity, so equal frames have no PSNR there.
        finite = [value for value in of_frames if value != float("inf")]
        mean, least = (sum(finite) / len(finite), min(finite)) if finite else (None, None)
        result |= {f"{name}_mean": mean and round(mean, 4), f"{name}_min": least and round(least, 4)}
    return {**result, "frames_compared": len(values), "frames_equal": sum(value == float("inf") for value, _ in values)}


def _images(path: Path, info: "MediaInfo") -> Iterator[Any]:
    import av

    from framebrush.media import Converter, choose_video

    converter = Converter(info.video)
    with av.open(str(path), metadata_errors="replace") as container:
        stream = choose_video(container)
        for frame in container.decode(stream):
            yield converter.to_image(frame)
