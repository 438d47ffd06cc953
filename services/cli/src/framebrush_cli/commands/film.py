"""A film from end to end on this machine, for ``framebrush style`` and for Python."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framebrush.contracts import CONTAINERS, FORMATS, Options, State
from framebrush.errors import PermanentError
from framebrush.styles import known_models, unknown
from framebrush_cli.commands.get import download
from framebrush_cli.commands.submit import run_options, start
from framebrush_cli.commands.up import start_stack, stop
from framebrush_cli.commands.watch import until_end
from framebrush_cli.display import err
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, local_file
from framebrush_cli.local import DEFAULT, Home

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
    scorers: int = 1,
    force: bool = False,
    **options: Any,
) -> list[Path]:
    """Style a film on this machine: start what that needs, wait for the end, and stop that again.

    A stack that runs already is used, and goes on running. Progress is told on standard error.

    Args:
        film: A video file.
        output: The file to write; its extension tells the container. With several styles each file has the name of
            its style before the extension. Or a folder, one that exists or a name that ends in ``/``.
        style: The name of a style, or several; ``gouache`` if there is neither a style nor a picture.
        style_image: A picture that is painted like, ``PICTURE`` or ``PICTURE=WEIGHT``, or several, which are blended.
        scorers: The scorer processes, 1 to 16, if the stack is to be started.
        force: Whether files that exist are overwritten.
        options: The other options of a run, by the names of :class:`framebrush.contracts.Options`: ``strength`` in
            0..1, ``keep_colors``, ``scale`` in 0.25..4, ``smoothing`` in 0..1, ``codec``, ``crf`` and so on.

    Returns:
        The files, in the order of the styles: first that of the pictures, if there are some.

    Raises:
        TypeError: There is no such option.
        CommandFailed: A file, a name or an option cannot be used, or the run failed; the text says why.
        UnknownModel: There is no such style.
    """
    if other := sorted(options.keys() - (Options.model_fields.keys() - {*OURS})):
        raise TypeError(f"style() got an unexpected keyword argument {other[0]!r}")
    names = [style] if isinstance(style, str) else list(style)
    like = [style_image] if isinstance(style_image, str | Path) else list(style_image)
    pictures = [_picture(str(each)) for each in like]
    chosen = run_options(names, pictures, options, default=DEFAULT_STYLE)
    path = local_file(str(film))
    if path is None:
        raise CommandFailed(f"{film}: there is no such file")
    targets = _targets(path, str(output), chosen, force=force)
    _check_names(names)
    with _stack(scorers) as home:
        _run(Connection(home=home), path, chosen, names, pictures, options, targets)
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


def _targets(film: Path, output: str, options: Options, *, force: bool) -> list[Path]:
    """Return the file of each style.

    Raises:
        CommandFailed: One of them cannot be written, or cannot be encoded with the options.
    """
    wanted, styles = Path(output), options.models
    if output.endswith("/") or wanted.is_dir():
        wanted.mkdir(exist_ok=True)
        suffix = CONTAINERS[options.codec][0]
        targets = [wanted / f"{film.stem}.{name}{suffix}" for name in styles]
    else:
        suffix = wanted.suffix
        if suffix.lower() not in FORMATS:
            raise CommandFailed(f"{wanted} must end in one of: {', '.join(FORMATS)}; or in / for a folder")
        if not wanted.parent.is_dir():
            raise CommandFailed(f"{wanted.parent}: there is no such folder")
        targets = [wanted.with_name(f"{wanted.stem}.{name}{suffix}") for name in styles] if styles[1:] else [wanted]
    if problem := options.unsuited(suffix.lower()):
        raise CommandFailed(f"{targets[0]}: {problem}")
    for target in targets:
        if target.exists() and not force:
            raise CommandFailed(f"{target} exists: --force overwrites it")
    return targets


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
    film: Path,
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
        blob = _blob(film, targets[0], options, attempt)
        request, created = start(connection, str(film), names, pictures, given, output=blob)
        run_id, attempt = str(request.run_id), attempt + 1
        # The same again is the same run, unless that came to no good end: this call is meant as another try.
        if created or runs.status(run_id).state not in (State.FAILED, State.CANCELLED):
            break
    status = until_end(runs, run_id, err)
    if status.state is not State.SUCCEEDED:
        why = f"{status.error.reason}: {status.error.description}" if status.error else "it was cancelled"
        raise CommandFailed(f"{film.name} was not styled: {why}")
    for source, target in zip(status.outputs, targets, strict=True):
        try:
            download(connection.store, source, target, run_id)
        except OSError as error:
            raise CommandFailed(f"{target} cannot be written: {error.strerror}") from None


def _blob(film: Path, target: Path, options: Options, attempt: int) -> str:
    """Return a name for the output in Blob: that of the file, and what else tells two runs apart."""
    facts, chosen = film.stat(), options.model_dump(mode="json", exclude_defaults=True)
    told = json.dumps([str(film.resolve()), facts.st_size, facts.st_mtime_ns, chosen, attempt], sort_keys=True)
    return f"{target.stem[:100]}.{hashlib.sha256(told.encode()).hexdigest()[:12]}{target.suffix.lower()}"
