"""``framebrush get``: download a run's output, or its report."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.markup import escape

from framebrush.contracts import BlobRef, State
from framebrush.errors import Conflict
from framebrush.runs import OUTPUT_OF, Outputs
from framebrush.storage import Store
from framebrush.units import size
from framebrush_cli.commands.watch import JsonOption
from framebrush_cli.display import out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, RunArgument, connected, resolve
from framebrush_cli.targets import check_folder, is_folder
from framebrush_cli.transfers import transfer

CHUNK = 8 * 2**20
"""The number of bytes per request."""


@connected
def get(
    connection: Connection,
    run: RunArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="What to write: a file, or a folder.  [default: here]",
            show_default=False,
        ),
    ] = "./",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
    report: Annotated[bool, typer.Option("--report", help="The run's report, a page, instead of the video.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download the video that a run made, or the several videos; or its report.

    What `-o` names is a folder if it exists or the name ends in a slash; several videos need one.

    Example: `framebrush get holiday -o styled.mp4`, or `framebrush get holiday -o styled/`
    """
    run_id, outputs = _outputs(connection, run) if connection.sees_runs else (run, _labelled(connection, run))
    targets = _targets([_page(connection, run_id, outputs)] if report else outputs, output)
    for target in targets.values():
        if target.exists() and not force:
            raise CommandFailed(f"{target} exists: --force overwrites it, -o names another place")
    for source, target in targets.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            count = download(connection.store, source, target, run_id)
        except OSError as error:
            raise CommandFailed(f"{target} cannot be written: {error.strerror}") from None
        except Conflict:
            raise CommandFailed(f"{source} was replaced during the download: try again") from None
        if not as_json:
            out.print(f"{escape(str(target))} ({size(count)})")
    if as_json:
        out.print(escape(json.dumps({"run_id": run_id, "files": [str(target) for target in targets.values()]})))


def _outputs(connection: Connection, run: str) -> tuple[str, Sequence[BlobRef]]:
    """Return the id of a run, and its outputs."""
    run_id = resolve(connection.runs, run)
    status = connection.runs.status(run_id)
    if status.state is not State.SUCCEEDED or not status.outputs:
        hint = f"`framebrush status {run_id}`" if status.state.ended else f"`framebrush watch {run_id}`"
        raise CommandFailed(f"{run_id} has no output, it is {status.state}: {hint}")
    return run_id, status.outputs


def _labelled(connection: Connection, run_id: str) -> Sequence[BlobRef]:
    """Return the outputs that say of themselves that they are this run's, for who may not look at runs."""
    blobs = connection.store.list(connection.storage.output_container)
    mine = (blob.ref for blob in blobs if blob.metadata.get(OUTPUT_OF) == run_id)
    found = [ref for ref in mine if PurePosixPath(ref.name).suffix != ".html"]
    if not found:
        raise CommandFailed(f"there is no output of the run {run_id} (yet), and runs are not open to you here")
    return found


def page_of(connection: Connection, run_id: str) -> BlobRef:
    """Return the report of a run as a page.

    Raises:
        CommandFailed: The run has none.
    """
    return _page(connection, run_id, connection.runs.status(run_id).outputs)


def _page(connection: Connection, run_id: str, outputs: Sequence[BlobRef]) -> BlobRef:
    page = Outputs(connection.runs).page(run_id, outputs[0]) if outputs else None
    if page is None:
        raise CommandFailed(f"{run_id} has no report: only a run that succeeds gets one, `framebrush status {run_id}`")
    return page


def _targets(outputs: Sequence[BlobRef], wanted: str) -> dict[BlobRef, Path]:
    """Return the path of each output: the last part of its blob's name in a folder, or the one file.

    Raises:
        CommandFailed: A file is named for several outputs, or nothing can be written there.
    """
    path = Path(wanted)
    check_folder(path if is_folder(wanted) else path.parent)
    if is_folder(wanted):
        # Names of blobs are not paths on this machine.
        return {output: path / PurePosixPath(output.name).name for output in outputs}
    if len(outputs) > 1:
        raise CommandFailed(f"{path} is one file, and the run has {len(outputs)} outputs: -o {path}/ names a folder")
    return {outputs[0]: path}


def download(store: Store, source: BlobRef, target: Path, run_id: str) -> int:
    """Write the output of a run to a file, which appears once it is complete; return the number of bytes.

    Raises:
        CommandFailed: The blob is another run's.
        Conflict: The blob was replaced meanwhile.
    """
    info = store.stat(source)
    owner = info.metadata.get(OUTPUT_OF, run_id)  # Outputs of version 0.1 name no run.
    if owner != run_id:
        raise CommandFailed(f"{source} was replaced by an output of the run {owner}")
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("wb") as file, transfer(escape(source.name), info.size) as advance:
            for start in range(0, info.size, CHUNK):
                data = store.read(source, start, min(CHUNK, info.size - start), etag=info.etag)
                file.write(data)
                advance(len(data))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return info.size
