"""ScaledObjects: who watches which queue, how many pods N messages give; no reading of the counts costs work."""

import math
from typing import Any

import pytest
from chart.generate import AWAKE
from chart.rendered import STAGES, Manifests, render
from hypothesis import given, settings
from hypothesis import strategies as st

from framebrush.contracts import FLOW, QUEUES

WORKLOADS = ("splitter", "dispatcher", "scorer-default", "stitcher", "learner")


def scaled(found: Manifests, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = found.of("ScaledObject")[f"framebrush-{name}"]["spec"]
    return spec


def targets(found: Manifests, name: str) -> dict[str, int]:
    """Messages per replica, of the queues that ask for more than one."""
    triggers = found.triggers(f"framebrush-{name}")
    return {queue: int(each["messageCount"]) for queue, each in triggers.items() if int(each["messageCount"]) < AWAKE}


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("concurrency", [1, 7])
def test_targets_follow_from_what_the_service_holds_in_hand(name: str, concurrency: int) -> None:
    path = "services.scorer.pools.default" if name == "scorer-default" else f"services.{name}"
    found = render("", {f"{path}.concurrency": concurrency, f"{path}.scaling.messagesPerSlot": 3})
    service = name.partition("-")[0]
    slots = {queue: step.slots or concurrency for queue, step in FLOW.items() if step.service == service}
    assert targets(found, name) == {queue: 3 * count for queue, count in slots.items()}


def test_every_queue_is_consumed_by_one_stage_and_nobody_sleeps_while_a_run_lasts() -> None:
    found = render()
    consumed = [queue for name in WORKLOADS for queue in targets(found, name)]
    assert sorted(consumed) == sorted(QUEUES)
    assert found.triggers("framebrush-dispatcher").keys() == set(QUEUES) - {"learnings"}  # it tracks all runs
    for name in found.of("ScaledObject"):
        assert all(each["activationMessageCount"] == "0" for each in found.triggers(name).values())


@settings(max_examples=10, deadline=None)
@given(concurrency=st.integers(1, 64), per_slot=st.floats(0.01, 100).map(lambda each: round(each, 2)))
def test_targets_are_whole_and_at_least_one(concurrency: int, per_slot: float) -> None:
    values = {"services.stitcher.concurrency": concurrency, "services.stitcher.scaling.messagesPerSlot": per_slot}
    [target] = targets(render("", values), "stitcher").values()
    assert target >= 1
    assert abs(target - math.ceil(concurrency * per_slot)) <= 1  # 3 x 1.1 is 3.3000000000000003


@pytest.mark.parametrize(
    ("values", "batches"),
    [
        ({}, 2 * 8 * 3 * 4),
        ({"services.scorer.scaling.maxReplicas": 64}, 2 * 64 * 3 * 4),
        ({"services.scorer.scaling.messagesPerSlot": 0.5}, 2 * 8 * 3 // 2),
        ({"services.scorer.scaling.enabled": False, "services.scorer.scaling.minReplicas": 2}, 2 * 2 * 3 * 4),
        ({"services.scorer.pools.spot": {"scaling": {"maxReplicas": 2}}}, 2 * (8 + 2) * 3 * 4),
        ({"services.scorer.scaling.maxReplicas": 1, "services.scorer.concurrency": 1}, 16),
        ({"services.splitter.settings.windowBatches": 5}, 5),
    ],
)
def test_a_run_has_twice_as_many_batches_in_work_as_scorers_hold(values: dict[str, Any], batches: int) -> None:
    """Fewer would keep KEDA from making the last pods; more would only make later runs wait."""
    environment = render("", values).environment("framebrush-splitter")
    assert environment["FRAMEBRUSH_WINDOW_BATCHES"] == str(batches)


def test_from_zero_and_back() -> None:
    found = render()
    for name in WORKLOADS:
        spec = scaled(found, name)
        assert spec["minReplicaCount"] == 0
        assert spec["maxReplicaCount"] >= 3
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 120
        names = [each["name"] for each in spec["triggers"]]
        assert len(set(names)) == len(names)
        assert {each["metricType"] for each in spec["triggers"]} == {"AverageValue"}  # fallback needs it


@pytest.mark.parametrize("base", ["", "aks", "kind"])
def test_no_reading_of_the_counts_gives_up_a_message_again_and_again(base: str) -> None:
    """With locked messages not counted, a stage may be told to end while it handles its last one."""
    found = render(base)
    for name, each in found.of("ScaledObject").items():
        environment = found.environment(name)
        grace, timeout = (float(environment[f"FRAMEBRUSH_{key}"]) for key in ("DRAIN_GRACE", "MESSAGE_TIMEOUT"))
        assert each["spec"]["cooldownPeriod"] + grace >= timeout, name


def test_the_dispatcher_outlives_every_message() -> None:
    """It fails the run of a message that is given up at the very end of its time; whether or not that was counted."""
    for base in ("", "aks"):
        found = render(base)
        longest = max(float(found.environment(name)["FRAMEBRUSH_MESSAGE_TIMEOUT"]) for name in found.of("ScaledObject"))
        assert scaled(found, "dispatcher")["cooldownPeriod"] > longest


def test_a_killed_pods_message_finds_somebody_awake() -> None:
    queues = {"lockDuration": 300, "maxDeliveryCount": 10, "duplicateDetectionWindow": 600}
    found = render("", {"queues.batches": queues})
    assert scaled(found, "scorer-default")["cooldownPeriod"] >= queues["lockDuration"]


def test_fallback() -> None:
    found = render()
    for name in WORKLOADS:
        if name in ("scorer-default", "learner"):  # an active fallback wakes a stage at zero: no GPU node for that
            assert "fallback" not in scaled(found, name)
        else:
            expected = {"failureThreshold": 5, "replicas": 1, "behavior": "currentReplicasIfHigher"}
            assert scaled(found, name)["fallback"] == expected


def test_values_reach_the_scaled_object() -> None:
    values = {
        "services.stitcher.scaling": {
            "minReplicas": 1, "maxReplicas": 40, "activationMessages": 7, "pollingInterval": 5, "cooldownPeriod": 60,
            "useCachedMetrics": True, "annotations": {"autoscaling.keda.sh/paused-replicas": "2"},
        }
    }  # fmt: skip
    found = render("", values)
    spec = scaled(found, "stitcher")
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 40)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (5, 60)
    [trigger] = spec["triggers"]
    assert trigger["useCachedMetrics"] is True
    assert trigger["metadata"]["activationMessageCount"] == "7"
    metadata = found.of("ScaledObject")["framebrush-stitcher"]["metadata"]
    assert metadata["annotations"] == {"autoscaling.keda.sh/paused-replicas": "2"}
    assert "annotations" not in found.of("ScaledObject")["framebrush-splitter"]["metadata"]
    assert len(STAGES) == len(WORKLOADS)
