"""Estimates what a run costs before it is started, by what earlier runs took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from framebrush.contracts import Report, State, Status, Timings
from framebrush.errors import BlobNotFound, PermanentError
from framebrush.units import money
from framebrush_cli.commands.runs import statuses
from framebrush_cli.installation import Connection

if TYPE_CHECKING:
    from framebrush_cli.preview import Film

LOOKED_AT = 20
"""The most earlier runs that are looked at, the newest first."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a run will cost, more or less."""

    total: float
    currency: str
    basis: str
    """What the estimate is based on, in words."""

    def __str__(self) -> str:
        return f"about {money(self.total)} {self.currency}, an estimate {self.basis}"


def estimate(
    connection: Connection, styles: Sequence[str], film: "Film", speeds: Mapping[str, float] | None = None
) -> Price | None:
    """Return what a run will cost; None if nothing is known that it could be estimated by.

    The cost of the newest run in the same styles is taken, as its report tells it, in proportion to the frames and
    their pixels. Without such a run, the time of the models on this computer is taken for that of a scorer.

    Args:
        connection: The installation, whose price table is the stitcher's, as it would be read here.
        styles: The styles of the run.
        film: The film; its number of frames may be unknown.
        speeds: The seconds that each style takes per frame on this computer, if they were measured.
    """
    from framebrush_stitcher.report.costs import estimate
    from framebrush_stitcher.report.figures import Figures
    from framebrush_stitcher.settings import StitcherSettings

    if not film.frames:
        return None
    prices, pixels = connection.read(StitcherSettings), film.video.width * film.video.height
    for status in _like(connection, styles):
        runs, run_id = connection.runs, status.run_id
        try:
            report = Report.decode(runs.store.read(runs.blobs(run_id).report))
            tasks = Timings.decode(runs.store.read(runs.blobs(run_id).timings)).tasks
            video = runs.manifest(run_id).video
        except (BlobNotFound, PermanentError):  # It was made by an earlier version, or somebody has cleared up.
            continue
        share = film.frames * pixels / (report.frames * video.width * video.height)
        cost = estimate(Figures(report, tasks, status.created, {}), prices).total
        basis = f"by the run {run_id} of {report.frames} frames"
        return Price(cost * share, prices.price_currency, basis)
    if speeds is None or set(speeds) != set(styles):
        return None
    hours = sum(speeds.values()) * film.frames / 3600
    return Price(hours * prices.price_scorer_hour, prices.price_currency, "by the speed of this computer")


def _like(connection: Connection, styles: Sequence[str]) -> list[Status]:
    """Return the runs in the same styles that succeeded, the newest first."""

    def created(status: Status) -> datetime:
        return status.created

    found = (s for s in statuses(connection) if s.state is State.SUCCEEDED and set(s.models) == set(styles))
    return sorted(found, key=created, reverse=True)[:LOOKED_AT]
