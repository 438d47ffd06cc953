"""``framebrush get``: download a run's output."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.markup import escape

from framebrush.documents import BlobRef
from framebrush.errors import Conflict
from framebrush.manifest import State
from framebrush.store import Store
from framebrush_cli.connection import Connection, connected
from framebrush_cli.display import out, size
from framebrush_cli.errors import CommandFailed
from framebrush_cli.selection import RunArgument, resolve
from framebrush_cli.upload import progress_bar

CHUNK = 8 * 2**20
"""Bytes per request."""


@connected
def get(
    connection: Connection,
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File or folder to write.  [default: the output's name, here]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Download the video that a run made."""
    run_id = resolve(connection.runs, run)
    status = connection.runs.status(run_id)
    if status.state is not State.SUCCEEDED or status.output is None:
        hint = f"`framebrush status {run_id}`" if status.state.ended else f"`framebrush watch {run_id}`"
        raise CommandFailed(f"{run_id} has no output, it is {status.state}: {hint}")
    name = PurePosixPath(status.output.name).name  # a blob's name is not a path of ours
    target = output or Path(name)
    target = target / name if target.is_dir() else target
    if target.exists() and not force:
        raise CommandFailed(f"{target} exists: --force overwrites it, -o names another file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        count = download(connection.store, status.output, target)
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror}") from None
    except Conflict:
        raise CommandFailed(f"{status.output} was replaced during the download: try again") from None
    out.print(f"{escape(str(target))} ({size(count)})")


def download(store: Store, source: BlobRef, target: Path) -> int:
    """Write a blob to a file, which appears when it is complete; returns the number of bytes.

    Raises:
        Conflict: the blob was replaced meanwhile.
    """
    info = store.stat(source)
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("wb") as file, progress_bar() as progress:
            task = progress.add_task(source.name, total=info.size)
            for start in range(0, info.size, CHUNK):
                data = store.read(source, start, min(CHUNK, info.size - start), etag=info.etag)
                file.write(data)
                progress.advance(task, len(data))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return info.size
