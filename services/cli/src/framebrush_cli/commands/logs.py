"""``framebrush logs``: what the services wrote while they worked for a run, though their pods may be gone."""

import json
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from framebrush.contracts import FLOW, BlobRef
from framebrush.errors import BlobNotFound
from framebrush.storage import Store
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, RunArgument, connected, resolve
from framebrush_cli.local import readable

SERVICES = tuple(dict.fromkeys(step.service for step in FLOW.values()))
INTERVAL, SETTLED = 2.0, 12.0
"""The seconds between two looks, and for how long nothing must come after the end of a run: services copy their lines
some seconds later."""


@connected
def logs(
    connection: Connection,
    run: RunArgument,
    service: Annotated[
        str | None, typer.Option(metavar="SERVICE", help=f"Of one service: {', '.join(SERVICES)}.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines until the run has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are: JSON.")] = False,
) -> None:
    """Print the log lines of a run from all services and pods, sorted by time.

    One line tells what became of each message, and how long its steps took.

    Example: `framebrush logs holiday --service scorer --follow`
    """
    if service and service not in SERVICES:
        raise CommandFailed(f"no service {service}: there are {', '.join(SERVICES)}")
    run_id = resolve(connection.runs, run)
    reader = LogReader(connection.store, connection.storage.logs_container, run_id, service)
    found, quiet = False, 0.0
    while True:
        for line in reader.read():
            found, quiet = True, 0.0
            typer.echo(line if as_json else _for_person(line))
        if not follow or (quiet >= SETTLED and connection.runs.status(run_id).state.ended):
            break
        time.sleep(INTERVAL)
        quiet += INTERVAL
    if not found:
        raise CommandFailed(f"no lines of {service or 'any service'} for {run_id}: they come some seconds later")


class LogReader:
    """Reads what is new in the logs of a run."""

    def __init__(self, store: Store, container: str, run_id: str, service: str | None = None) -> None:
        self._store, self._container = store, container
        self._prefix = f"{run_id}/{service}-" if service else f"{run_id}/"
        self._read = dict[BlobRef, int]()

    def read(self) -> list[str]:
        """Return the whole lines since the last call, sorted by their times; those of one pod stay in their order."""
        lines = [line for blob, size in self._sizes() for line in self._new(blob, size)]
        return sorted(dict.fromkeys(lines), key=_moment)  # A line whose append was repeated is there twice.

    def _sizes(self) -> Iterator[tuple[BlobRef, int]]:
        try:
            for blob in self._store.list(self._container, self._prefix):
                yield blob.ref, blob.size
        except BlobNotFound:
            raise CommandFailed(f"there is no container {self._container}: `framebrush setup` creates it") from None

    def _new(self, blob: BlobRef, size: int) -> list[str]:
        begin = self._read.get(blob, 0)
        if size <= begin:
            return []
        data = self._store.read(blob, begin, size - begin)
        whole = data.rfind(b"\n") + 1
        self._read[blob] = begin + whole
        return data[:whole].decode(errors="replace").splitlines()


def _moment(line: str) -> str:
    try:
        return str(json.loads(line)["time"])
    except (ValueError, KeyError, TypeError):
        return ""


def _for_person(line: str) -> str:
    try:
        return f"{json.loads(line)['service']:10} {readable(line)}"
    except (ValueError, KeyError, TypeError):
        return line
