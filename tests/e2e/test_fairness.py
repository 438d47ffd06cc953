"""A long run beside a short one: the short one has its turn after a window of the long one, and not after all of it."""

import time
from collections import defaultdict
from pathlib import Path

import pytest
from support.cluster import Cluster
from support.video import make_video

from framebrush.contracts import BlobRef, Options, State, Timings

pytestmark = pytest.mark.timeout(1800)

LONG, SHORT = 20_000, 50
FACTOR = 3
"""How many times as long as alone the short run may take."""
TICK = 512
OPTIONS = Options(model="identity", batch_frames=32, preset="ultrafast")
"""The cheapest model: what is measured is how work is handed out."""


@pytest.fixture(scope="module")
def sources(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[int, BlobRef]:
    """Films of so many frames of 64x48."""
    folder, found = tmp_path_factory.mktemp("films"), dict[int, BlobRef]()
    for frames in (LONG, SHORT):
        pts = range(0, frames * TICK, TICK)
        film = make_video(folder / f"{frames}.mp4", pts=pts, gop=120, audio=None, options={"crf": "30"})
        found[frames], _ = cluster.put(f"{cluster.run_id('fair')}-{frames}.mp4", film.read_bytes())
    return found


def seconds(cluster: Cluster, run_id: str, source: BlobRef) -> float:
    """How long a run takes from its request to its end."""
    begun = time.monotonic()
    cluster.request(run_id, source, OPTIONS)
    status = cluster.ended(run_id, 600)
    assert status.state is State.SUCCEEDED, status.error
    assert status.frames == SHORT
    return time.monotonic() - begun


def waiting(cluster: Cluster, run_id: str) -> float:
    """Return for how many seconds the messages of a run waited in queues: the longest of each stage, together."""
    timings = Timings.decode(cluster.blobs.read(cluster.runs.blobs(run_id).timings))
    longest = defaultdict[str, float](float)
    for task in timings.tasks:
        if task.queued and task.taken:
            longest[task.stage] = max(longest[task.stage], (task.taken - task.queued).total_seconds())
    return sum(longest.values())


def test_a_short_run_does_not_wait_for_a_long_one(cluster: Cluster, sources: dict[int, BlobRef], results: Path) -> None:
    seconds(cluster, cluster.run_id("short-cold"), sources[SHORT])  # starts the pods, which both others then find
    alone = seconds(cluster, cluster.run_id("short-alone"), sources[SHORT])
    long = cluster.run_id("long")
    begun = time.monotonic()
    cluster.request(long, sources[LONG], OPTIONS)

    def under_way() -> bool:
        status = cluster.status(long)
        assert status is None or not status.state.ended, f"the long run was too fast: {status}"
        return status is not None and status.progress.scored > 0

    cluster.wait("frames of the long run", under_way, 300)
    beside = seconds(cluster, cluster.run_id("short-beside"), sources[SHORT])
    waited = waiting(cluster, cluster.run_id("short-beside"))
    progress = cluster.runs.status(long).progress
    ended = cluster.ended(long, 1200)
    took = time.monotonic() - begun
    text = (
        f"{SHORT} frames alone: {alone:.1f} s; beside a run of {LONG} frames: {beside:.1f} s, of which {waited:.1f} s "
        f"in queues, when {progress.scored} of those were scored; that run took {took:.0f} s"
    )
    print(f"\n  {text}")
    results.joinpath("fairness.txt").write_text(f"{text}\n")
    assert ended.state is State.SUCCEEDED, ended.error
    assert ended.frames == LONG
    assert progress.scored < LONG // 2, "the long run was nearly done, so that nothing was shared"
    assert alone + waited <= FACTOR * alone, "it waited for the long run"
    assert beside <= FACTOR * alone, "the pods took the cores from each other"
