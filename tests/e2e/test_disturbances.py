"""Whatever happens in the middle of a run: the video that comes out is, byte for byte, that of an undisturbed run."""

import subprocess
from collections.abc import Callable

import pytest
from support.cluster import CONTEXT, GPU_NODE, OPTIONS, RELEASE, Cluster
from support.journey import Travel
from support.video import facts

from framebrush.contracts import Options, State
from framebrush.runs import measure

pytestmark = pytest.mark.timeout(1200)

VALUES = ("charts/framebrush", "--values", "charts/framebrush/values-kind.yaml", "--reuse-values")


def shell(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def delete(component: str, *, grace: int | None = None) -> Callable[[Cluster], None]:
    def disturb(cluster: Cluster) -> None:
        print(f"  deleting {cluster.delete_pod(component, grace=grace)}")

    return disturb


def drain(cluster: Cluster) -> None:
    """What AKS does to a spot node that it takes back."""
    shell(
        "kubectl", "--context", CONTEXT, "drain", GPU_NODE,
        "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--grace-period=5", "--timeout=180s",
    )  # fmt: skip
    shell("kubectl", "--context", CONTEXT, "uncordon", GPU_NODE)


def kill_node(cluster: Cluster) -> None:
    # With cgroup v1 a node cannot be killed while it starts a container: runc freezes that for a moment.
    cluster.wait("all scorers ready", lambda: _all_ready(cluster), 120)
    shell("docker", "kill", GPU_NODE)
    shell("docker", "start", GPU_NODE)
    cluster.wait("the GPU node", lambda: _ready(cluster), 300)
    shell("k8s/gpus", CONTEXT, GPU_NODE, "4")  # a kubelet that starts anew forgets devices that no plugin announces


def _ready(cluster: Cluster) -> bool:
    node = cluster.core.read_node(GPU_NODE)
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


def _all_ready(cluster: Cluster) -> bool:
    pods = cluster.pods("app.kubernetes.io/component=scorer")
    return (
        len(pods) > 1
        and all(pod.status.container_statuses for pod in pods)
        and all(each.ready for pod in pods for each in pod.status.container_statuses)
    )


def scale_in(cluster: Cluster) -> None:
    """From four scorers to one."""
    name = next(name for name in cluster.deployments() if name.startswith("scorer"))
    cluster.pause(f"{RELEASE}-{name}", 4)
    cluster.wait("four scorers", lambda: cluster.deployments()[name].status.ready_replicas == 4, 300)
    cluster.pause(f"{RELEASE}-{name}", 1)
    cluster.wait("one scorer", lambda: len(cluster.pods("app.kubernetes.io/component=scorer")) == 1, 300)
    cluster.pause(f"{RELEASE}-{name}", None)


def upgrade(cluster: Cluster) -> None:
    cluster.helm("upgrade", RELEASE, *VALUES, "--set", "defaults.settings.logLevel=DEBUG")


def upgrade_and_roll_back(cluster: Cluster) -> None:
    cluster.helm("upgrade", RELEASE, *VALUES, "--set", "defaults.settings.logLevel=WARNING")
    cluster.helm("rollback", RELEASE)


@pytest.mark.parametrize(
    ("name", "stage", "disturb"),
    [
        pytest.param("killed-scorer", "scored", delete("scorer", grace=0), marks=pytest.mark.core),
        ("killed-stitcher", "encoded", delete("stitcher", grace=0)),
        ("deleted-broker", "scored", delete("broker")),
        ("deleted-storage", "scored", delete("azurite")),
        ("drained-node", "scored", drain),
        ("killed-node", "scored", kill_node),
        ("scale-in", "scored", scale_in),
        ("upgrade", "scored", upgrade),
        ("rollback", "scored", upgrade_and_roll_back),
    ],
)
def test_a_disturbance_changes_nothing(
    cluster: Cluster,
    clip: bytes,
    undisturbed: bytes,
    travel: Travel,
    name: str,
    stage: str,
    disturb: Callable[[Cluster], None],
) -> None:
    source, _ = cluster.put(f"{name}.mp4", clip)
    run_id = cluster.run_id(name)

    def half_way() -> bool:
        progress = measure(cluster.runs, run_id)[0].model_dump() if cluster.status(run_id) else {stage: 0}
        return bool(progress[stage] > 0)

    with travel(name) as journey:
        output = cluster.request(run_id, source, OPTIONS)
        cluster.wait(f"{name}: some frames {stage}", half_way, 300)
        assert cluster.runs.active(run_id), "too late: the run was through"
        journey.mark("disturbed")
        disturb(cluster)
        journey.mark("left alone")
        status = journey.ended()
        assert status.state is State.SUCCEEDED, status.error
        assert cluster.blobs.read(output) == undisturbed


def test_messages_in_hand_need_not_be_counted(
    cluster: Cluster, clip: bytes, undisturbed: bytes, travel: Travel
) -> None:
    """Service Bus is said to count them, and not to: the broker does either."""
    source, _ = cluster.put("not-counted.mp4", clip)
    cluster.helm("upgrade", RELEASE, *VALUES, "--set", "local.broker.countLocked=false", "--wait", "--timeout", "5m")
    try:
        with travel("not-counted") as journey:
            output = cluster.request(journey.run_id, source, OPTIONS)
            status = journey.ended()
            assert status.state is State.SUCCEEDED, status.error
            assert cluster.blobs.read(output) == undisturbed
    finally:
        cluster.helm("rollback", RELEASE, "--wait", "--timeout", "5m")


@pytest.mark.core
def test_two_runs_at_once_and_one_trigger_twice(cluster: Cluster, clip: bytes, undisturbed: bytes) -> None:
    source, _ = cluster.put("twice.mp4", clip)
    other = Options(model="identity", batch_frames=8, preset="veryfast")
    twice, beside = cluster.run_id("twice"), cluster.run_id("beside")
    first = cluster.request(twice, source, OPTIONS)
    cluster.request(twice, source, OPTIONS)
    second = cluster.request(beside, source, other)
    assert cluster.ended(twice, 600).state is State.SUCCEEDED
    assert cluster.ended(beside, 600).state is State.SUCCEEDED
    assert cluster.blobs.read(first) == undisturbed
    identical = cluster.blobs.read(second)
    assert facts(identical) == facts(clip)
    assert identical != undisturbed


def test_a_poison_video_harms_nobody_and_can_be_replayed(cluster: Cluster, clip: bytes, undisturbed: bytes) -> None:
    poison, unharmed = cluster.run_id("poison"), cluster.run_id("unharmed")
    bad, _ = cluster.put(f"{poison}.mp4", b"no video at all" * 100)
    good, _ = cluster.put("unharmed.mp4", clip)
    mended = cluster.request(poison, bad, OPTIONS)
    output = cluster.request(unharmed, good, OPTIONS)
    failed = cluster.ended(poison, 300)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.reason == "invalid_video"
    assert cluster.counts("triggers")["DeadLetterMessageCount"] == 1
    assert cluster.ended(unharmed, 600).state is State.SUCCEEDED
    assert cluster.blobs.read(output) == undisturbed
    cluster.blobs.write(bad, clip)
    print(cluster.command("dlq", "replay", "--run", poison))
    assert cluster.ended(poison, 600).state is State.SUCCEEDED
    assert cluster.blobs.read(mended) == undisturbed
    assert cluster.counts("triggers")["DeadLetterMessageCount"] == 0
