"""``framebrush dlq``: look at dead letters, and send them again."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from framebrush.contracts import QUEUES
from framebrush_cli.display import err, local, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, connected, resolve

if TYPE_CHECKING:
    from rich.progress import Progress

    from framebrush.messaging import DeadLetterMessage
    from framebrush_cli.installation import Selection

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Messages that were put aside because they could not be handled: list, show, replay.",
)

QueueOption = Annotated[str | None, typer.Option(help=f"One queue only: {', '.join(QUEUES)}.")]
RunOption = Annotated[str | None, typer.Option(help="One run only, by its id or the beginning of it.")]


@app.command("list")
@connected
def list_(
    connection: Connection,
    queue: QueueOption = None,
    run: RunOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line per dead letter.")] = False,
) -> None:
    """List dead letters.

    Example: `framebrush dlq list --run holiday`
    """
    from framebrush_cli.installation import peek  # It takes a second to import, as below.

    found = peek(connection.settings, _selection(connection, queue, run))
    if as_json:
        for letter in found:
            out.print(escape(json.dumps(facts(letter))))
        return
    if not found:
        out.print("No dead letters.")
        return
    table = Table(
        "queue", "seq", Column("run", no_wrap=True), "reason", "enqueued", "description", box=None, pad_edge=False
    )
    for letter in found:
        enqueued = local(letter.enqueued) if letter.enqueued else ""
        description = escape(letter.description[:200])
        table.add_row(letter.queue, str(letter.sequence), letter.run_id, escape(letter.reason), enqueued, description)
    out.print(table)


@app.command()
@connected
def show(
    connection: Connection,
    sequence: Annotated[int, typer.Argument(metavar="SEQ", help="Its number in `framebrush dlq list`.")],
    queue: QueueOption = None,
) -> None:
    """Print a dead letter with its properties and body, as JSON.

    Example: `framebrush dlq show 17`
    """
    from framebrush_cli.installation import peek

    found = peek(connection.settings, _selection(connection, queue, None, [sequence]))
    if not found:
        raise CommandFailed(f"no dead letter {sequence}: `framebrush dlq list` shows them")
    if len(found) > 1:
        queues = ", ".join(letter.queue for letter in found)
        raise CommandFailed(f"{sequence} is in several queues ({queues}): say which with --queue")
    text = json.dumps(facts(found[0]), ensure_ascii=False)
    out.print_json(text.encode(errors="replace").decode())  # JSON may hold halves of surrogate pairs


@app.command()
@connected
def replay(
    connection: Connection,
    sequences: Annotated[
        list[int] | None, typer.Argument(metavar="[SEQ]...", help="Numbers in `framebrush dlq list`.  [default: all]")
    ] = None,
    queue: QueueOption = None,
    run: RunOption = None,
) -> None:
    """Send dead letters to their queues again, once the cause is gone; runs that failed for them go on.

    Example: `framebrush dlq replay --run holiday-1f2e3d4c5b6a`
    """
    from framebrush_cli.installation import find
    from framebrush_cli.installation import replay as send_again

    found = find(connection.settings, _selection(connection, queue, run, sequences or ()))
    total, sent = sum(map(len, found.values())), Counter[tuple[str, str | None]]()
    if not total:
        raise CommandFailed("no such dead letter: `framebrush dlq list` shows them")
    try:
        with (
            _progress() as progress,
            closing(send_again(connection.settings, connection.runs, found)) as letters,
        ):
            for letter in progress.track(letters, total, description="sending again"):
                sent[letter.queue, letter.run_id] += 1
    finally:  # This also counts a replay that was interrupted.
        for (name, run_id), count in sent.items():
            of = f" of run {run_id}" if run_id else ""
            out.print(f"{name}: {count} message{'s' * (count > 1)}{of} sent again")
    if left := total - sent.total():
        raise CommandFailed(
            f"{left} of {total} dead letters were not sent again: somebody else holds them or has taken them away; "
            "`framebrush dlq list` shows what is left, in a minute a replay can have it"
        )


def _progress() -> "Progress":
    """Return a progress bar on standard error, which shows only if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _selection(
    connection: Connection, queue: str | None, run: str | None, sequences: Iterable[int] = ()
) -> "Selection":
    from framebrush_cli.installation import Selection

    if queue is not None and queue not in QUEUES:
        raise CommandFailed(f"no queue {queue}: there are {', '.join(QUEUES)}")
    run_id = resolve(connection.runs, run) if run else None
    return Selection(queue, run_id, frozenset(sequences))


def facts(letter: "DeadLetterMessage") -> dict[str, object]:
    """Return what is known of a dead letter, with its body, as JSON has it."""
    content = letter.body.decode(errors="replace")
    with suppress(ValueError, RecursionError):
        content = json.loads(content)
    return {
        "queue": letter.queue,
        "sequence": letter.sequence,
        "message_id": letter.message_id,
        "run": letter.run_id,
        "reason": letter.reason,
        "description": letter.description,
        "enqueued": letter.enqueued.isoformat() if letter.enqueued else None,
        "properties": {
            name: value if isinstance(value, int) else str(value) for name, value in letter.properties.items()
        },
        "body": content,
    }
