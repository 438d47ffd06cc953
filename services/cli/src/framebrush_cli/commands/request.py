"""The request of a run: what it asks for, uploaded and sent."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from framebrush.contracts import PICTURE, BlobRef, Options, PinnedStyle, RunRequest, derive_run_id, explain
from framebrush.errors import BlobNotFound, Unfit
from framebrush.service import Settings
from framebrush.storage import BlobInfo
from framebrush.styles import Library
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, find_input
from framebrush_cli.sources import file_name, opened_source


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
        name.encode()
    except UnicodeEncodeError:
        raise CommandFailed(f"{name}: the name is not UTF-8: rename the file") from None
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
