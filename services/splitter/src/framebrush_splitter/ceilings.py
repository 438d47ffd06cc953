"""What runs may cost: how much one may paint, and how many may be open at a time."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from framebrush.contracts import Manifest, State, Status
from framebrush.errors import LimitExceeded, PermanentError
from framebrush.runs import Runs


def check_cost(manifest: Manifest, most: int) -> None:
    """Check what a planned run costs, before its first segment is decoded.

    Args:
        manifest: The plan.
        most: The pixels that its models may paint, in all frames together.

    Raises:
        LimitExceeded: They would paint more than that.
    """
    video, models, scale = manifest.video, len(manifest.renditions), manifest.options.scale
    # A finer brush paints on a larger picture. A coarser one saves nothing that counts: the frames stay what they are.
    pixels = round(manifest.frames * models * video.width * video.height / min(1.0, scale) ** 2)
    if pixels > most:
        brush = f" with a brush of {scale:g}" if scale < 1 else ""
        found = f"{manifest.frames} frames of {video.width}x{video.height} by {models} models{brush} have {pixels}"
        raise LimitExceeded.of(f"{found} pixels, more", str(most), "MAX_RUN_PIXELS")


def check_open_runs(runs: Runs, run_id: str, most: int) -> None:
    """Check how many runs of a container of inputs are open, before the film of one more is read.

    No message says who sent it, in a way that could be believed. Who may write into a container is what Azure knows
    and enforces: so runs are counted by the container of their input.

    A run counts those that are running, and those that are planned at the same time and came before it. So of many
    that come at once the first ones are let in. Splitters whose clocks differ may let in one too many.

    Args:
        runs: The runs of the installation.
        run_id: The run that is about to be planned. It has a status.
        most: The number of runs that may be open.

    Raises:
        BlobNotFound: The run has no status.
        LimitExceeded: So many are open without this one.
    """
    own = runs.status(run_id)
    open_runs = (status for status in _others(runs, run_id) if _counts(status, own))
    if len(list(islice(open_runs, most))) == most:
        raise LimitExceeded(
            f"as many runs of the container {own.input.container} are open as may be, {most}: replay this message when "
            "one has ended, or raise FRAMEBRUSH_MAX_OPEN_RUNS"
        )


def _others(runs: Runs, run_id: str) -> Iterator[Status]:
    for listed in runs.listed():
        with suppress(PermanentError):  # It was deleted, has no status yet, or cannot be read: it is in nobody's way.
            if listed != run_id:
                yield runs.status(listed)


def _counts(status: Status, own: Status) -> bool:
    if status.input.container != own.input.container or status.state.ended:
        return False
    return status.state is State.RUNNING or (status.created, status.run_id) < (own.created, own.run_id)
