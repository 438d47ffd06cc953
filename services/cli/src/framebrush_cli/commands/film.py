"""A film from end to end on this machine, for ``framebrush style`` and for Python."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from framebrush.contracts import PICTURE, Options, State
from framebrush.errors import PermanentError
from framebrush.styles import known_models, unknown
from framebrush_cli.commands.get import download
from framebrush_cli.commands.outputs import files_of, folders_of, without_loss
from framebrush_cli.commands.request import run_options, start
from framebrush_cli.commands.stack import start_stack, stop
from framebrush_cli.commands.watch import until_end
from framebrush_cli.display import err
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture
from framebrush_cli.local import DEFAULT, Home
from framebrush_cli.sources import Source, file_name, opened_source, write_pictures
from framebrush_cli.targets import is_folder

DEFAULT_STYLE = "gouache"
OURS = ("model", "more_models", "style_images")
"""The options of a run that have other names here."""

Several = str | Path | Sequence[str | Path]


def style(
    film: str | Path,
    *,
    output: str | Path,
    style: str | Sequence[str] = (),
    style_image: Several = (),
    rate: float | str | Fraction | None = None,
    scorers: int = 1,
    force: bool = False,
    **options: Any,
) -> list[Path]:
    """Style a film on this machine: start what that needs, wait for the end, and stop that again.

    A stack that runs already is used, and goes on running. Progress is told on standard error.

    Args:
        film: A video file, an https: address of one, or a folder of pictures of one size, JPEG, PNG, WebP or TIFF,
            which become its frames in the order in which people count.
        output: The file to write; its extension tells the container. With several styles each file has the name of
            its style before the extension. Or a folder, one that exists or a name that ends in ``/``: of a film it
            gets films, and of pictures it gets pictures with the same names, with several styles in folders of theirs.
        style: The name of a style, or several; ``gouache`` if there is neither a style nor a picture.
        style_image: A picture that is painted like, ``PICTURE`` or ``PICTURE=WEIGHT``, or several, which are blended.
        rate: The pictures per second of a folder of pictures, in 0..1000; by default 25.
        scorers: The scorer processes, 1 to 16, if the stack is to be started.
        force: Whether files that exist are overwritten.
        options: The other options of a run, by the names of :class:`framebrush.contracts.Options`: ``strength`` in
            0..1, ``keep_colors``, ``scale`` in 0.25..4, ``strokes``, ``smoothing`` in 0..1, ``codec``, ``crf`` and so
            on.

    Returns:
        The files, or the folders of pictures, in the order of the styles: first that of the style pictures, if there
        are some.

    Raises:
        TypeError: There is no such option.
        CommandFailed: A file, a name or an option cannot be used, or the run failed; the text says why.
        InvalidPicture: A picture cannot be read.
        LimitExceeded: What is on the web is too large, or takes too long.
        UnknownModel: There is no such style.
    """
    if other := sorted(options.keys() - (Options.model_fields.keys() - {*OURS})):
        raise TypeError(f"style() got an unexpected keyword argument {other[0]!r}")
    names = [style] if isinstance(style, str) else list(style)
    like = [style_image] if isinstance(style_image, str | Path) else list(style_image)
    pictures = [_picture(str(each)) for each in like]
    as_pictures = Path(film).is_dir() and is_folder(str(output))
    if as_pictures:
        options = without_loss(options)
    chosen = run_options(names, pictures, options, default=DEFAULT_STYLE)
    name = str(film)
    targets = folders_of(Path(output), chosen) if as_pictures else files_of(file_name(name), str(output), chosen)
    _check_names(names)
    with opened_source(name, None if rate is None else str(rate)) as source:
        if not source.facts:
            raise CommandFailed(f"{film}: there is no such file")
        shots = [[target / each.name for each in source.pictures] for target in targets] if as_pictures else [targets]
        for target in (each for some in shots for each in some):
            if target.exists() and not force:
                raise CommandFailed(f"{target} exists: --force overwrites it")
        with _stack(scorers) as home, tempfile.TemporaryDirectory(prefix="framebrush-") as folder:
            films = [Path(folder) / f"{each}.mkv" for each in chosen.models] if as_pictures else targets
            styles = [each for each in chosen.models if each != PICTURE]
            _run(Connection(home=home), source, chosen, styles, pictures, options, films)
            if as_pictures:
                for made, files in zip(films, shots, strict=True):
                    write_pictures(made, files)
    return targets


def _picture(text: str) -> NamedPicture:
    found = NamedPicture.read(text)
    if found.content is None:
        raise CommandFailed(f"{text}: there is no such file")
    return found


def _check_names(names: Sequence[str]) -> None:
    """Refuse unknown styles before a stack is started. One that exists may have others in its library."""
    for name in names:
        if not Home.find() and name not in known_models():
            error: PermanentError = unknown(name, known_models())
            raise CommandFailed(str(error))


@contextmanager
def _stack(scorers: int) -> Iterator[Home]:
    """Start the stack unless it runs; whatever comes then, stop what was started."""
    home = Home.find() or Home(DEFAULT)
    if home.running() and home.supervised():
        yield home
        return
    start_stack(home, scorers)
    try:
        yield home
    finally:
        with err.status("Stopping …"):
            stop(home)


def _run(
    connection: Connection,
    source: Source,
    options: Options,
    names: Sequence[str],
    pictures: Sequence[NamedPicture],
    given: Mapping[str, Any],
    targets: Sequence[Path],
) -> None:
    """Do a run, and write its outputs.

    Raises:
        CommandFailed: It failed.
    """
    runs, attempt = connection.runs, 0
    while True:
        blob = _blob(source, targets[0], options, attempt)
        request, created = start(connection, source.name, names, pictures, given, output=blob)
        run_id, attempt = str(request.run_id), attempt + 1
        # The same again is the same run, unless that came to no good end: this call is meant as another try.
        if created or runs.status(run_id).state not in (State.FAILED, State.CANCELLED):
            break
    status = until_end(runs, run_id, err)
    if status.state is not State.SUCCEEDED:
        why = f"{status.error.reason}: {status.error.description}" if status.error else "it was cancelled"
        raise CommandFailed(f"{Path(source.name).name} was not styled: {why}")
    for output, target in zip(status.outputs, targets, strict=True):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            download(connection.store, output, target, run_id)
        except OSError as error:
            again = "the run is done, and the same command goes on with it"
            raise CommandFailed(f"{target} cannot be written: {error.strerror}; {again}") from None


def _blob(source: Source, target: Path, options: Options, attempt: int) -> str:
    """Return a name for the output in Blob: that of the file, and what else tells two runs apart."""
    chosen = options.model_dump(mode="json", exclude_defaults=True)
    told = json.dumps([source.facts, chosen, attempt], sort_keys=True)
    return f"{target.stem[:100]}.{hashlib.sha256(told.encode()).hexdigest()[:12]}{target.suffix.lower()}"
