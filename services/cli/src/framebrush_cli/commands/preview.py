"""``framebrush preview``: some frames of a film in every chosen style, before anything is paid."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from framebrush.contracts import PICTURE, Options
from framebrush.styles import Library
from framebrush_cli.commands.price import estimate
from framebrush_cli.commands.request import run_options
from framebrush_cli.commands.submit import FILM, PicturesOption, RateOption
from framebrush_cli.display import err, out, show_picture
from framebrush_cli.errors import CommandFailed, NotInstalled
from framebrush_cli.installation import (
    Connection,
    NamedPicture,
    check_styles,
    connected,
    find_blob,
    local_file,
    style_names,
)
from framebrush_cli.sources import file_name, opened_source
from framebrush_cli.targets import check_folder, is_folder

if TYPE_CHECKING:
    from framebrush.storage import SeekableFile
    from framebrush_cli.preview import Preview, Studio

DEFAULT = "gouache"
"""The style if none is chosen, where no installation says another one."""


@connected
def preview(
    connection: Connection,
    film: Annotated[str, typer.Argument(metavar="FILM", help=FILM)],
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a style; several make one row each.  [default: the installation's]",
            autocompletion=style_names,
        ),
    ] = None,
    style_image: PicturesOption = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.png|FOLDER/",
            help="The contact sheet; or a folder, for the sheet and every picture at its full size.  "
            "[default: FILM.preview.png]",
        ),
    ] = None,
    strength: Annotated[float | None, typer.Option(help="How much of the painting, 0 to 1.  [default: 1]")] = None,
    keep_colors: Annotated[bool | None, typer.Option("--keep-colors", help="The video's own colours.")] = None,
    scale: Annotated[float | None, typer.Option(help="Size of the brush, 0.25 to 4.  [default: 1]")] = None,
    strokes: Annotated[bool | None, typer.Option(help="Brush strokes, or none.  [default: the style's]")] = None,
    rate: RateOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Paint three frames of a film in every chosen style, on this computer and without a run.

    The frames are painted as a run with the same options would paint them. The result is a picture with a row for each
    style; terminals that can show pictures show it, too.

    Example: `framebrush preview holiday.mp4 --style oil --style wave --style starry`
    """
    target = _target(film, output, force=force)
    pictures = [NamedPicture.read(text) for text in style_image or []]
    given = {"strength": strength, "keep_colors": keep_colors, "scale": scale, "strokes": strokes}
    default = connection.settings.default_model if connection.available else DEFAULT
    options = run_options(style or [], pictures, given, default=default)
    library = library_of(connection)
    check_styles(options.models, library)
    with opened_source(film, rate) as source, err.status("Painting …"):
        made = make_preview(new_studio(library), connection, source.name, options, pictures)
    files = made.write(target, sheet_only=output is None or not is_folder(output))
    if as_json:
        out.print(escape(json.dumps(made.facts() | {"files": [str(path) for path in files]})))
        return
    show_picture(made.sheet())
    out.print(escape(str(files[0])))
    price = estimate(connection, options.models, made.film, made.speeds) if connection.available else None
    if price:
        out.print(f"A run: {price}")


def library_of(connection: Connection) -> Library | None:
    """Return the library of the installation, if there is an installation."""
    return Library(connection.store, connection.storage.styles_container) if connection.available else None


def new_studio(library: Library | None) -> "Studio":
    """Return what paints on this computer, with the styles of a library if there is one.

    Raises:
        CommandFailed: The scorer or the splitter is not installed here.
    """
    if not (find_spec("framebrush_scorer") and find_spec("framebrush_splitter")):
        raise NotInstalled("a preview is painted here, and needs the scorer", "cli[preview]")
    from framebrush.sandbox import Sandbox

    sandbox = Sandbox(modules=["framebrush_cli.preview.frames"])
    sandbox.warm()  # It starts while the models' libraries are loaded.
    from framebrush_cli.preview import Studio

    return Studio(sandbox, library)


def make_preview(
    studio: "Studio", connection: Connection, film: str, options: Options, pictures: Sequence[NamedPicture]
) -> "Preview":
    """Paint some frames of a film in the styles of a run; see :meth:`Studio.paint`.

    Args:
        studio: What paints.
        connection: The installation, which need not be there for files of this computer.
        film: A file, or the name of a blob in the input container.
        options: The options of the run: its styles, strength, keep_colors and scale.
        pictures: The pictures that are painted like.

    Raises:
        CommandFailed: There is no such film or picture.
        InvalidVideo: The film cannot be styled.
    """
    from framebrush_cli.preview import Preview, read_stills

    store, container = (
        (connection.store, connection.storage.styles_container) if connection.available else (None, "styles")
    )
    vector = studio.picture_vector(pictures, store, container) if pictures else None
    with open_film(connection, film) as source:
        facts, stills = read_stills(studio.sandbox, source)
    painted = [studio.paint(name, stills, options, vector if name == PICTURE else None) for name in options.models]
    return Preview(facts, stills, painted)


def open_film(connection: Connection, film: str) -> "SeekableFile":
    """Return a film as a file: one of this computer, or a blob of the input container.

    Raises:
        CommandFailed: There is no such film, or it is empty.
    """
    from framebrush.storage import BlobReader
    from framebrush_cli.sources import LocalFile

    if path := local_file(film):
        try:
            return LocalFile(path)
        except OSError as error:
            raise CommandFailed(f"{film} cannot be read: {error.strerror}") from None
    if not connection.available:
        raise CommandFailed(f"{film}: there is no such file")
    info = find_blob(connection.store, connection.storage.input_container, film)
    return BlobReader(connection.store, info.ref, info.size, info.etag)


def _target(film: str, output: str | None, *, force: bool) -> Path:
    """Return the file of the sheet, which ends in ``.png``, or the folder of all pictures.

    Raises:
        CommandFailed: It is neither, or it exists.
    """
    named = output or f"{Path(file_name(film)).stem}.preview.png"
    target, folder = Path(named), is_folder(named)
    if not folder and target.suffix.lower() != ".png":
        raise CommandFailed(f"{target} must end in .png, or in / for a folder")
    check_folder(target if folder else target.parent)
    sheet = target / "sheet.png" if folder else target
    if sheet.exists() and not force:
        raise CommandFailed(f"{sheet} exists: --force overwrites it, -o names another place")
    return target
