"""From nothing to a styled video and back to nothing."""

import numpy as np
import pytest
from support.cluster import GPU_NODE, RELEASE, STAGES, Cluster
from support.journey import Journey
from support.video import facts, frames, painting, psnr

from framebrush.contracts import PICTURE, QUEUES, BlobRef, State
from framebrush_scorer.models import load

pytestmark = [pytest.mark.core, pytest.mark.timeout(900)]


def test_a_message_wakes_every_stage_and_the_video_comes_back_exact(
    cluster: Cluster, clip: bytes, undisturbed: bytes
) -> None:
    assert facts(undisturbed) == facts(clip)
    model = load("gouache")
    before, after = frames(clip), frames(undisturbed)
    assert len(before) == len(after) == 264
    for index in (0, 100, 263):
        assert psnr(before[index], after[index]) < 25
        assert psnr(model(np.ascontiguousarray(before[index][None]))[0], after[index]) > 28


def test_every_stage_worked_and_went(cold: Journey) -> None:
    samples = cold.timeline.samples
    peaks = {
        stage: max(sum(count for name, count in each.ready.items() if name.startswith(stage)) for each in samples)
        for stage in STAGES
    }
    assert all(peaks.values()), peaks
    assert peaks["scorer"] > 1
    assert not any(samples[-1].ready.values()), samples[-1]


def test_scorers_are_on_the_gpu_node_and_nothing_else_is(cold: Journey) -> None:
    places: dict[str, set[str]] = {stage: set() for stage in STAGES}
    for sample in cold.timeline.samples:
        for stage, nodes in sample.nodes.items():
            places[stage] |= set(nodes)
    assert places.pop("scorer") == {GPU_NODE}
    assert all(places.values()), places
    assert not any(GPU_NODE in nodes for nodes in places.values()), places


def test_nothing_is_left_behind(cluster: Cluster, cold: Journey) -> None:
    blobs = cluster.runs.blobs(cold.run_id)
    for prefix in blobs.intermediate_prefixes:
        assert [str(each.ref) for each in cluster.blobs.list(blobs.container, prefix)] == []
    for queue in QUEUES:
        assert cluster.counts(queue)["DeadLetterMessageCount"] == 0


def test_a_dropped_blob_announced_twice_is_one_run(cluster: Cluster, clip: bytes) -> None:
    name = cluster.run_id("dropped")
    source, etag = cluster.put(f"{name} in.mp4", clip)
    cluster.announce(source, etag)
    cluster.announce(source, etag)
    [run_id] = cluster.wait("the dropped blob's run", lambda: [run for run, _ in cluster.runs.ids(name)] or None, 120)
    assert cluster.ended(run_id, 600).state is State.SUCCEEDED
    assert [run for run, _ in cluster.runs.ids(name)] == [run_id]
    ref = BlobRef(container="output", name=f"{name} in.gouache.mp4")
    assert facts(cluster.blobs.read(ref)) == facts(clip)


def test_a_dropped_blob_is_painted_like_the_picture_that_it_names(
    cluster: Cluster, clip: bytes, undisturbed: bytes
) -> None:
    name = cluster.run_id("painted")
    cluster.put_picture(f"{name}.png", painting())
    cluster.announce(*cluster.put(f"{name}.mp4", clip, framebrush_style_image=f"{name}.png"))
    [run_id] = cluster.wait("the painted run", lambda: [run for run, _ in cluster.runs.ids(name)] or None, 120)
    status = cluster.ended(run_id, 600)
    assert (status.state, status.model) == (State.SUCCEEDED, PICTURE)
    output = cluster.blobs.read(BlobRef(container="output", name=f"{name}.picture.mp4"))
    assert facts(output) == facts(clip)
    assert psnr(frames(output)[0], frames(undisturbed)[0]) < 25


def test_helm_test_sends_a_run_through(cluster: Cluster) -> None:
    for _ in range(2):  # The second one finds the output of the first, which is another run's.
        before = set(cluster.runs.ids("helm-test"))
        print(cluster.helm("test", RELEASE, "--timeout", "10m"))
        [(_, state)] = set(cluster.runs.ids("helm-test")) - before
        assert state is State.SUCCEEDED
