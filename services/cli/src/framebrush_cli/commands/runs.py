"""``framebrush runs``, ``status`` and ``cancel``."""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from framebrush.contracts import Report, State, Status
from framebrush.errors import BlobNotFound, PermanentError
from framebrush.runs import Outputs, clear_up, measure
from framebrush.units import duration
from framebrush_cli.commands.styled import styled_so_far
from framebrush_cli.commands.watch import JsonOption, notes_of
from framebrush_cli.display import err, local, out, outcome, state
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, OpenRunArgument, RunArgument, connected, resolve

UNITS = {"m": 60, "h": 3600, "d": 86400}


@connected
def runs(
    connection: Connection,
    states: Annotated[
        list[State] | None, typer.Option("--state", help="Runs in this state only; several add up.")
    ] = None,
    film: Annotated[str | None, typer.Option(help="Runs of films with this in their name only.")] = None,
    since: Annotated[str | None, typer.Option(help="Runs of the last time only: 90m, 12h, 7d.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs, the newest last.

    Example: `framebrush runs --state failed --since 7d`
    """
    age = _seconds(since) if since else None
    found = sorted(
        (
            status
            for status in statuses(connection)
            if (not states or status.state in states)
            and (film is None or film.lower() in status.input.name.lower())
            and (age is None or (datetime.now(UTC) - status.created).total_seconds() <= age)
        ),
        key=lambda status: status.created,
    )
    if as_json:
        out.print(escape(json.dumps([status.model_dump(mode="json") for status in found])))
        return
    if not found and (states or film or since):
        out.print("No such runs.")
        return
    if not found:
        out.print("No runs yet: [bold]framebrush submit VIDEO[/]")
        return
    # On a narrow terminal other columns give way: ids are there to be copied, and states to be read.
    id_width = max(len(status.run_id) for status in found)
    table = Table(
        Column("run", min_width=id_width),
        Column("state", min_width=9),
        Column("input", no_wrap=True),
        "model",
        "frames",
        "created",
        "took",
        box=None,
        pad_edge=False,
    )
    for status in found:
        took = duration((status.ended - status.created).total_seconds()) if status.ended else ""
        table.add_row(
            status.run_id,
            state(status.state),
            escape(status.input.name),
            ", ".join(status.models),
            str(status.frames or ""),
            local(status.created),
            took,
        )
    out.print(table)


def _seconds(text: str) -> float:
    """Return the seconds of a time as people write it.

    Raises:
        CommandFailed: It is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text)
    if match is None:
        raise CommandFailed(f"--since {text}: expected a number with m, h or d behind it, such as 90m, 12h or 7d")
    return float(match[1]) * UNITS[match[2]]


def statuses(connection: Connection, run_ids: Iterable[str] | None = None) -> Iterator[Status]:
    """Yield the status of every run, or of some. One that cannot be read is reported, and does not hide the others."""

    def read(run_id: str) -> Status | PermanentError:
        try:
            return connection.runs.status(run_id)
        except PermanentError as error:
            return error

    ids = [run_id for run_id, _ in connection.runs.ids()] if run_ids is None else list(run_ids)
    with ThreadPoolExecutor(16) as pool:
        for run_id, found in zip(ids, pool.map(read, ids), strict=True):
            if isinstance(found, Status):
                yield found
            elif not isinstance(found, BlobNotFound):  # Otherwise it was deleted meanwhile.
                err.print(f"{run_id}: its status cannot be read: {escape(str(found))}")


@connected
def status(
    connection: Connection,
    run: RunArgument,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Write what is styled so far: some frames in all styles, while it runs."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a run stands, and what its stages took.

    Example: `framebrush status holiday --picture so-far.png`
    """
    run_id = resolve(connection.runs, run)
    if picture is not None:
        styled_so_far(connection.runs, run_id).write(picture, sheet_only=True)
    found = connection.runs.status(run_id)
    if not found.state.ended:  # The blobs tell more than the status, which is written from time to time.
        progress, stages = measure(connection.runs, run_id)
        found = found.model_copy(update={"progress": progress, "stages": stages})
    notes = notes_of(connection.runs, run_id)
    if as_json:
        out.print(escape(json.dumps(found.model_dump(mode="json") | {"notes": notes})))
        return
    out.print(outcome(found))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("input", escape(str(found.input)))
    table.add_row("model", ", ".join(found.models))
    if found.style_images:
        table.add_row("painted like", escape(", ".join(map(str, found.style_images))))
    table.add_row("created", local(found.created))
    for stage, done in found.progress.model_dump().items():
        timing = found.stages.get(stage)
        seconds = (timing.ended - timing.started).total_seconds() if timing else 0.0
        note = f"in {duration(seconds)}, {duration(timing.busy)} of work" if timing else ""
        table.add_row(
            stage, f"{done} of {found.frames or '?'} {'frame' if found.frames == 1 else 'frames'}  [dim]{note}[/]"
        )
    for name, text in _report_rows(connection, found):
        table.add_row(name, escape(text))
    for note in notes:
        table.add_row("note", escape(note))
    out.print(table)


def _report_rows(connection: Connection, status: Status) -> Iterator[tuple[str, str]]:
    """Yield rows for what the report of a run that succeeded says about its output."""
    if status.state is not State.SUCCEEDED:
        return
    try:
        report = Report.decode(connection.store.read(connection.runs.blobs(status.run_id).report))
    except BlobNotFound:  # Somebody has deleted the report.
        return
    failed = [check for check in report.checks if not check.ok]
    yield "verified", f"{len(report.checks) - len(failed)} of {len(report.checks)} checks"
    for check in failed:
        of = f"{check.model}: " if check.model else ""
        yield "", f"{of}{check.name}: {check.found} instead of {check.wanted}"
    page = Outputs(connection.runs).page(status.run_id, report.output)
    if page:
        yield "report", f"{page}, shown by `framebrush open {status.run_id}`"


@connected
def cancel(connection: Connection, run: OpenRunArgument, as_json: JsonOption = False) -> None:
    """End a run; what is left of its work is passed over.

    Example: `framebrush cancel holiday-1f2e3d4c5b6a`
    """
    run_id = resolve(connection.runs, run, newest=False)
    end_run(connection, run_id)
    if as_json:
        out.print(escape(connection.runs.status(run_id).model_dump_json()))
        return
    out.print(f"{run_id}: {state(State.CANCELLED)}")


def end_run(connection: Connection, run_id: str) -> None:
    """Cancel a run, and delete what it has made so far.

    Raises:
        CommandFailed: It has ended in another way.
        BlobNotFound: There is no such run.
    """
    if not connection.runs.end(run_id, State.CANCELLED):
        found = connection.runs.status(run_id)
        if found.state is not State.CANCELLED:
            raise CommandFailed(f"{run_id} has {found.state} already: there is nothing to cancel")
    # What is in hand now clears up after itself. If this is interrupted, to cancel the run again goes on with it.
    clear_up(connection.runs, connection.runs.blobs(run_id).intermediate_prefixes)
