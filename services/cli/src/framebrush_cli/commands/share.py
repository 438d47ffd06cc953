"""``framebrush share`` and ``framebrush invite``: links for people who have no role on the storage account."""

import json
import re
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from framebrush.contracts import BlobRef, RunRequest, State, explain
from framebrush.errors import BlobNotFound
from framebrush_cli.display import err
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, RunArgument, connected, resolve

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
Lasts = Annotated[str, typer.Option("--for", metavar="TIME", help="How long the link works: 30m, 8h, 7d at most.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@connected
def share(connection: Connection, run: RunArgument, lasts: Lasts = "8h", as_json: JsonOption = False) -> None:
    """Print a link to each output of a run: whoever has it can download that video, and nothing else.

    This needs a sign-in with the role *Storage Blob Delegator*. The link ends with its time, and cannot be taken back.

    Example: `framebrush share holiday --for 7d`
    """
    time = duration_of(lasts)
    run_id = resolve(connection.runs, run)
    status = connection.runs.status(run_id)
    if status.state is not State.SUCCEEDED:
        raise CommandFailed(f"{run_id} has no output, it is {status.state}")
    _print([connection.store.link(output, "read", time) for output in status.outputs], as_json=as_json)


@connected
def invite(
    connection: Connection,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The video's name in the input container.")],
    lasts: Lasts = "8h",
    as_json: JsonOption = False,
) -> None:
    """Print a link by which somebody can upload one video, which starts a run as any video that is dropped there.

    Whoever has the link can create this blob, and can neither read nor replace it:
    `curl -T NAME.mp4 -H "x-ms-blob-type: BlockBlob" LINK`

    Example: `framebrush invite holiday.mp4 --for 30m`
    """
    time, container = duration_of(lasts), connection.storage.input_container
    try:
        ref = RunRequest(input=BlobRef(container=container, name=name)).input
    except ValidationError as error:
        raise CommandFailed(explain(error)) from None
    try:
        connection.store.stat(ref)
    except BlobNotFound:
        _print([connection.store.link(ref, "create", time)], as_json=as_json)
    else:
        raise CommandFailed(f"{ref} exists already: choose another name")


def duration_of(text: str) -> timedelta:
    """Return the time that a text such as 30m, 8h or 7d stands for.

    Raises:
        CommandFailed: The text is no time, or the time is longer than links may last.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    found = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
    if not timedelta(0) < found <= timedelta(days=7):
        raise CommandFailed(f"--for {text}: expected a time such as 30m, 8h or 7d, which is the longest")
    return found


def _print(links: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(links))
        return
    err.print("Whoever has a link can use it until it ends:")
    for each in links:
        typer.echo(each)  # in one line, however long it is
