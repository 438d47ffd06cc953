"""``framebrush setup``: the queues and containers of an installation."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from framebrush.contracts import Catalogue
from framebrush.errors import Unavailable, Unfit
from framebrush.styles import Library, known_models
from framebrush_cli.cards import shipped_titles
from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, connected
from framebrush_cli.local import QUEUES_FILE

T = TypeVar("T")
PAUSE, REPEAT = 2.0, 15.0
"""The seconds between two attempts, and between two equal lines."""


@connected
def setup(
    connection: Connection,
    queues: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Queues and their options, JSON or TOML.  [default: those of framebrush]"),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for backends that do not answer yet.")] = 120,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name of a model that the scorers have beside ours and those of the library; repeatable."),
    ] = None,
    any_model: Annotated[
        bool, typer.Option("--any-model", help="The scorers may have models that nobody names here: refuse none.")
    ] = False,
    containers_only: Annotated[
        bool, typer.Option("--containers-only", help="Make no queues, since the broker has them: that of tests/broker.")
    ] = False,
) -> None:
    """Create the queues and the containers that do not exist yet; what exists stays as it is.

    Then note which models the scorers have, so that requests for others are refused at once.

    Needs the right to manage queues: the role Azure Service Bus Data Owner, or a policy with the Manage claim.

    Example: `framebrush setup --storage-account-url https://NAME.blob.core.windows.net
    --servicebus-namespace NAME.servicebus.windows.net`
    """
    from framebrush_cli.installation import Namespace, differences, read_queues  # It takes a second to import.

    settings, end = connection.settings, time.monotonic() + timeout
    declared = {} if containers_only else read_queues(queues or QUEUES_FILE)
    bus, blobs = (
        partial(_patiently, end=end, identity=key is None)
        for key in (settings.servicebus_connection_string, settings.storage_connection_string)
    )
    namespace = Namespace(settings) if declared else None
    for name, options in declared.items():
        assert namespace is not None  # noqa: S101 - there are queues
        found = bus(partial(namespace.create, name, options))
        out.print(f"queue {escape(name)}: {'exists' if found else 'created'}")
        for difference in differences(options, found) if found else ():
            err.print(f"[yellow]warning:[/] queue {escape(name)}: {difference}")
    for name in settings.containers:
        created = blobs(partial(connection.store.create_containers, [name]))
        out.print(f"container {name}: {'created' if created else 'exists'}")
    models = tuple(sorted({*known_models(), *(model or ())}))
    library = Library(connection.store, settings.styles_container)
    catalogue = Catalogue(models=models, complete=not any_model, titles=shipped_titles())
    blobs(partial(library.write_catalogue, catalogue))
    out.print(f"models: {', '.join(models)}{' and others' if any_model else ''}, and those of the library")


def _patiently(attempt: Callable[[], T], end: float, *, identity: bool) -> T:
    """Try until the backend answers, and print why it does not answer yet.

    Args:
        attempt: What to try.
        end: When to give up, on the monotonic clock.
        identity: Whether an identity signs in. Then a refusal is tried again: what runs right after a role was assigned
            is refused for some minutes. A key that is refused will be refused for ever.

    Raises:
        CommandFailed: It did not answer until ``end``, or it will never do so.
        Unfit: The backend refuses the key.
    """
    said, when = "", 0.0
    while True:
        try:
            return attempt()
        except (Unavailable, Unfit) as error:
            text = str(error)
            if isinstance(error, Unfit):
                if not identity:
                    raise
                text += " (a new role assignment takes minutes to work)"
            if "CERTIFICATE_VERIFY_FAILED" in text:
                raise CommandFailed(f"{text}. A private CA is trusted if REQUESTS_CA_BUNDLE names its file") from error
            now = time.monotonic()
            if now >= end:
                raise CommandFailed(f"{text}; --timeout is over") from error
            if text != said or now >= when + REPEAT:
                err.print(f"waiting for {escape(text)}")
                said, when = text, now
            time.sleep(min(PAUSE, end - now))
