"""``framebrush styles``: the library of an installation."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from framebrush.contracts import LearningState, LearningStatus
from framebrush.errors import BlobNotFound
from framebrush.styles import BUILT_IN, OURS, LearningJobs, Library, unknown
from framebrush_cli.cards import shipped_cards
from framebrush_cli.commands.learning import learn, summarise
from framebrush_cli.display import local, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, check_name, connected, read_style, style_names

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The styles of an installation, and how it learns new ones.",
)
app.command()(learn)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a style.", autocompletion=style_names)]


def _library(connection: Connection) -> Library:
    return Library(connection.store, connection.storage.styles_container)


def _jobs(connection: Connection) -> LearningJobs:
    return LearningJobs(connection.store, connection.storage.styles_container)


def all_styles(connection: Connection) -> dict[str, tuple[str, str]]:
    """Return where each model comes from and what it is, by its name: those of the library, and those that ship."""
    library, cards = _library(connection), dict(shipped_cards())
    found = {style.name: ("library", style.title) for style in library.styles()}
    catalogue = library.catalogue()
    for name in catalogue.models if catalogue else OURS:
        kind = "built in" if name in BUILT_IN else "shipped" if name in OURS else "installed"
        found.setdefault(name, (kind, str(cards.get(name, {}).get("title", ""))))
    return found


@app.command("list")
@connected
def list_styles(connection: Connection, as_json: JsonOption = False) -> None:
    """List all models: those of the library, those that come with framebrush, and those that are being learned.

    Example: `framebrush styles list --json`
    """
    found = all_styles(connection)
    learning = [status for status in _jobs(connection).statuses() if not status.state.ended]
    if as_json:
        models = [{"name": name, "kind": kind, "title": title} for name, (kind, title) in sorted(found.items())]
        out.print(escape(json.dumps({"models": models, "learning": [s.model_dump(mode="json") for s in learning]})))
        return
    table = Table(Column("style", min_width=max(map(len, found))), "from", "what it is", box=None, pad_edge=False)
    for name, (kind, title) in sorted(found.items()):
        table.add_row(name, kind, escape(title))
    for status in learning:
        table.add_row(status.name, "learning", f"step {status.step} of {status.steps}")
    out.print(table)


@app.command()
@connected
def add(
    connection: Connection,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights, .safetensors or .pth.")],
    name: Annotated[str | None, typer.Option(help="Name of the style.  [default: the file's]")] = None,
    title: Annotated[str | None, typer.Option(help="One line that tells what it is.  [default: the card's]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a style of this name.")] = False,
) -> None:
    """Add a style to the library, with the card (.json) and the preview (.png) beside its file.

    The scorers fetch it when a run asks for it.

    Example: `framebrush styles add mine.safetensors --title "My own, 2026"`
    """
    library = _library(connection)
    name = check_name(name or file.stem)
    style, weights, preview = read_style(file, name, title)
    there = library.find(name)
    if there and there.digest != style.digest and not force:
        raise CommandFailed(f"the library has another style {name}: --force replaces it, --name gives another name")
    library.add(style, weights, preview)
    out.print(f"{name}: {escape(style.title)}")


@app.command()
@connected
def show(
    connection: Connection,
    name: NameArgument,
    preview: Annotated[
        Path | None, typer.Option(help="PNG file to write: what it paints; of a style that is learned, so far.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is known about a style, and how far it is learned.

    Example: `framebrush styles show mine --preview mine.png`
    """
    library, jobs = _library(connection), _jobs(connection)
    style, status = library.find(name), _newest(jobs, name)
    shipped = dict(shipped_cards()).get(name)
    if style is None and status is None and shipped is None:
        raise _unknown(library, jobs, name)
    if preview is not None:
        _write_preview(preview, _preview(connection, name, status))
    if as_json:
        document = {
            "style": style.model_dump(mode="json") if style else None,
            "card": json.loads(style.card) if style else shipped,
            "learning": status.model_dump(mode="json") if status else None,
        }
        out.print(escape(json.dumps(document)))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    card: dict[str, Any] = json.loads(style.card) if style else shipped or {}
    if style:
        table.add_row("added", local(style.added))
        table.add_row("weights", f"{style.size} bytes, SHA-256 {style.digest[:16]}…")
    for field, value in card.items():
        for key, text in value.items() if isinstance(value, dict) else [(field, value)]:
            table.add_row(key, escape(str(text)))
    if status:
        table.add_row("learning", escape(summarise(status)))
    out.print(f"[bold]{escape(name)}[/]")
    out.print(table)


@app.command()
@connected
def remove(connection: Connection, name: NameArgument) -> None:
    """Remove a style from the library, and end its learning. Runs that have begun with it go on.

    Example: `framebrush styles remove mine`
    """
    library, jobs = _library(connection), _jobs(connection)
    learning = [status for status in jobs.statuses() if status.name == name and not status.state.ended]
    if library.find(name) is None and not learning:
        if name in OURS:
            raise CommandFailed(f"{name} comes with framebrush and is not in the library")
        raise _unknown(library, jobs, name)
    for status in learning:
        jobs.update(status.job, state=LearningState.CANCELLED)
        out.print(f"{name}: its learning ends")
    if library.find(name) is not None:
        library.remove(name)
        out.print(f"{name}: removed")


def _newest(jobs: LearningJobs, name: str) -> LearningStatus | None:
    found = [status for status in jobs.statuses() if status.name == name]
    return max(found, key=lambda status: status.created, default=None)


def _preview(connection: Connection, name: str, status: LearningStatus | None) -> bytes | None:
    """Return the preview of a style that is being learned, else that of the library's."""
    library, jobs = _library(connection), _jobs(connection)
    if status is not None and not status.state.ended:
        try:
            return connection.store.read(jobs.ref(status.job, "preview.png"))
        except BlobNotFound:
            pass
    style = library.find(name)
    return library.preview(style) if style else None


def _write_preview(path: Path, content: bytes | None) -> None:
    if content is None:
        raise CommandFailed("there is no preview of it yet")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from None


def _unknown(library: Library, jobs: LearningJobs, name: str) -> Exception:
    learning = (status.name for status in jobs.statuses())
    return unknown(name, {*library.names(), *learning, *OURS})
