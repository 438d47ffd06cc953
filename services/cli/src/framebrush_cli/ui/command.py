"""``framebrush ui`` and ``open``: the page, and the report of a run, until they are interrupted."""

import tempfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from framebrush_cli.commands.get import page_of
from framebrush_cli.errors import NotInstalled
from framebrush_cli.installation import Connection, RunArgument, connected, resolve
from framebrush_cli.ui.serving import ShowOption, new_place, serve

NEEDED = ("framebrush_scorer", "framebrush_splitter", "framebrush_stitcher")
"""The packages of the extra ``preview``."""


@connected
def ui(
    connection: Connection,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 picks a free one.")] = 8477,
    show: ShowOption = True,
) -> None:
    """Open a page to drop a film and a painting on, to watch runs, and to see their reports.

    It uses the installation that the other commands would use, and runs until Ctrl-C; runs that it started go on.

    Example: `framebrush ui --port 0 --no-open`
    """
    if not all(map(find_spec, NEEDED)):
        raise NotInstalled("the page needs more packages", "cli[preview]")
    connection.store.ping()  # An installation that cannot be reached is told here, and not on the page.
    from framebrush_cli.ui.desk import Desk
    from framebrush_cli.ui.server import new_app

    room = tempfile.TemporaryDirectory(prefix="framebrush-ui-", ignore_cleanup_errors=True)
    with new_place(port) as place, room as folder, closing(Desk(connection, Path(folder))) as desk:
        app = new_app(desk, place.address, place.token)
        told = "The page: [bold]{}[/]  (Ctrl-C ends it; runs go on)"
        serve(app, place, f"/?token={place.token}", told=told, show=show, ends=desk.board.ends_with)


@connected
def show(connection: Connection, run: RunArgument, show: ShowOption = True) -> None:
    """Show the report of a run in the browser, with links to its films, until Ctrl-C.

    `framebrush get RUN --report` saves the report instead.

    Example: `framebrush open holiday`
    """
    run_id = resolve(connection.runs, run)
    page_of(connection, run_id)  # What has none is told here.
    from framebrush_cli.ui.guard import report_path
    from framebrush_cli.ui.reports import new_report_app

    with new_place() as place:
        app = new_report_app(connection, place.address, place.token)
        told = "The report: [bold]{}[/]  (Ctrl-C ends it)"
        serve(app, place, report_path(place.token, run_id), told=told, show=show, ends=lambda _: None)
