"""Deployments: pools, placement, names and labels, checksums, grace periods, disruption."""

import json
import math
import re
from typing import Any

import pytest
import yaml
from chart.cases import CASES, digest
from chart.generate import CHART, helm
from chart.rendered import MINIMUM, STAGES, Manifests, Refused, assignments, render
from hypothesis import given, settings
from hypothesis import strategies as st

GPU = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}


def spec(found: Manifests, name: str) -> dict[str, Any]:
    result: dict[str, Any] = found.pod(name)["spec"]
    return result


def container(found: Manifests, name: str) -> dict[str, Any]:
    result: dict[str, Any] = spec(found, name)["containers"][0]
    return result


# --- names and labels


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("framebrush", {}, "framebrush"),
        ("my-framebrush-2", {}, "my-framebrush-2"),
        ("prod", {}, "prod-framebrush"),
        ("prod", {"nameOverride": "films"}, "prod-films"),
        ("prod", {"fullnameOverride": "films"}, "films"),
    ],
)
def test_names_follow_the_release(release: str, values: dict[str, Any], name: str) -> None:
    found = render("", values | {"setup.enabled": True}, release)
    assert found.of("Deployment").keys() == {f"{name}-{each}" for each in (*STAGES[:2], "scorer-default", *STAGES[3:])}
    assert found.of("ScaledObject").keys() == found.of("Deployment").keys()
    for kind in ("ConfigMap", "Job", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "TriggerAuthentication"):
        assert all(each == name or each.startswith(f"{name}-") for each in found.of(kind)), kind
    for scaled in found.of("ScaledObject").values():
        assert scaled["spec"]["scaleTargetRef"]["name"] in found.of("Deployment")


def test_the_longest_names_fit() -> None:
    pool = "p" * 15
    found = render("kind", {f"services.scorer.pools.{pool}": {}, "setup.enabled": True}, "r" * 53)
    for manifest in found.all:
        # KEDA labels with the name of a ScaledObject, Kubernetes with that of a Job; labels have 63 characters.
        assert len(manifest["metadata"]["name"]) <= 63
        for value in manifest["metadata"].get("labels", {}).values():
            assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value), value


@pytest.mark.parametrize("case", CASES)
def test_selectors_hold_what_never_changes_and_choose_their_pods_only(case: str) -> None:
    found = render(*CASES[case])
    pods = {name: pod["metadata"]["labels"].items() for name, pod in found.pods()}
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        for name, manifest in found.of(kind).items():
            selector = manifest["spec"]["selector"]
            labels = selector.get("matchLabels", selector)
            assert labels.keys() - {"framebrush.io/pool"} == {
                "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
            }  # fmt: skip
            assert [each for each, found_labels in pods.items() if labels.items() <= found_labels] == [name], kind


def test_labels() -> None:
    found = render("", {"defaults.podLabels": {"team": "films"}}, "prod")
    for manifest in found.all:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "framebrush"
        assert labels["app.kubernetes.io/instance"] == "prod"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == "0.2.0"
        assert labels["helm.sh/chart"] == "framebrush-0.2.0"
    scorer = found.pod("prod-framebrush-scorer-default")["metadata"]["labels"]
    assert (scorer["framebrush.io/pool"], scorer["team"]) == ("default", "films")
    assert "helm.sh/chart" not in scorer  # a new chart alone restarts nothing


# --- pools and placement


def test_several_pools_on_one_queue() -> None:
    pools = {
        "services.scorer.tolerations": [GPU],
        "services.scorer.resources.limits.nvidia\\.com/gpu": 1,
        "services.scorer.pools.t4": {"nodeSelector": {"agentpool": "t4"}},
        "services.scorer.pools.v100": {
            "nodeSelector": {"agentpool": "ncv3"}, "image": {"tag": "1-cu126"}, "concurrency": 5,
            "resources": {"limits": {"memory": "100Gi"}}, "scaling": {"maxReplicas": 2},
        },
    }  # fmt: skip
    found = render("", pools)
    names = {f"framebrush-scorer-{pool}" for pool in ("default", "t4", "v100")}
    assert {name for name in found.of("Deployment") if "scorer" in name} == names
    for name in names:
        assert found.triggers(name).keys() == {"batches"}
        assert spec(found, name)["tolerations"] == [GPU]
        assert container(found, name)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nodeSelector" not in spec(found, "framebrush-scorer-default")
    assert spec(found, "framebrush-scorer-t4")["nodeSelector"] == {"agentpool": "t4"}
    assert container(found, "framebrush-scorer-t4")["image"] == "framebrush/scorer:0.2.0"
    v100 = container(found, "framebrush-scorer-v100")
    assert v100["image"] == "framebrush/scorer:1-cu126"
    assert v100["resources"] == {
        "requests": {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "1Gi"},
        "limits": {"memory": "100Gi", "nvidia.com/gpu": 1},
    }
    assert found.environment("framebrush-scorer-v100")["FRAMEBRUSH_CONCURRENCY"] == "5"
    assert found.triggers("framebrush-scorer-v100")["batches"]["messageCount"] == "20"
    assert found.of("ScaledObject")["framebrush-scorer-v100"]["spec"]["maxReplicaCount"] == 2
    assert found.of("ScaledObject")["framebrush-scorer-t4"]["spec"]["maxReplicaCount"] == 8


def test_a_pool_is_switched_off() -> None:
    found = render("", {"services.scorer.pools": {"default": {"enabled": False}, "t4": {}}})
    assert "framebrush-scorer-default" not in found.text
    assert "framebrush-scorer-t4" in found.of("Deployment")


def test_the_example_for_aks_puts_scorers_and_nothing_else_on_gpu_nodes() -> None:
    found = render("aks")
    for name, pod in found.pods():
        scorer = "scorer" in name or "learner" in name
        assert (GPU in pod["spec"].get("tolerations", [])) is scorer, name
        assert ("nodeSelector" in pod["spec"]) is scorer, name
        assert ("nvidia.com/gpu" in pod["spec"]["containers"][0]["resources"]["limits"]) is scorer, name
    spot = spec(found, "framebrush-scorer-t4spot")
    assert {each["key"] for each in spot["tolerations"]} == {"sku", "kubernetes.azure.com/scalesetpriority"}
    assert found.environment("framebrush-scorer-t4spot")["FRAMEBRUSH_DRAIN_GRACE"] == "20"
    assert found.triggers("framebrush-scorer-t4spot")["batches"]["activationMessageCount"] == "12"


def test_the_job_and_the_test_stand_where_the_dispatcher_stands() -> None:
    placement = {
        "nodeSelector": {"agentpool": "cpu"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "priorityClassName": "low",
    }
    image = {"registry": "r.example", "tag": "2", "pullPolicy": "Always"}
    found = render(
        "",
        {"setup.enabled": True, "defaults.image": image}
        | {f"services.dispatcher.{k}": v for k, v in placement.items()},
    )
    for name in ("framebrush-dispatcher", "framebrush-setup", "framebrush-test"):
        assert placement.items() <= spec(found, name).items(), name
        assert container(found, name)["image"] == "r.example/framebrush/dispatcher:2"
        assert container(found, name)["imagePullPolicy"] == "Always"
    assert "nodeSelector" not in spec(found, "framebrush-splitter")


def test_lists_and_falsehoods_replace_and_null_removes() -> None:
    values = {
        "defaults.tolerations": [GPU],
        "services.stitcher.tolerations": [],
        "services.stitcher.podDisruptionBudget.enabled": False,
        "services.scorer.pools.t4": {"resources": {"limits": {"memory": None, "nvidia.com/gpu": 1}}},
    }
    found = render("", values)
    assert spec(found, "framebrush-splitter")["tolerations"] == [GPU]
    assert "tolerations" not in spec(found, "framebrush-stitcher")
    assert "framebrush-stitcher" not in found.of("PodDisruptionBudget")
    assert container(found, "framebrush-scorer-t4")["resources"]["limits"] == {"nvidia.com/gpu": 1}


# --- restarts


def checksums(values: dict[str, Any]) -> dict[str, str]:
    found = render("", values)
    return {name: found.pod(name)["metadata"]["annotations"]["checksum/config"] for name in found.of("Deployment")}


@pytest.mark.parametrize(
    ("values", "restarted"),
    [
        ({"services.splitter.settings.maxPixels": 1000}, {"splitter"}),
        ({"services.scorer.concurrency": 4}, {"scorer-default", "splitter"}),  # whose window follows
        ({"services.stitcher.messageTimeout": 2000}, {"stitcher"}),
        ({"defaults.settings.logLevel": "DEBUG"}, {*STAGES[:2], "scorer-default", *STAGES[3:]}),
        ({"containers.work": "scratch"}, {*STAGES[:2], "scorer-default", *STAGES[3:]}),
        ({"defaults.scaling.maxReplicas": 3}, set()),
        ({"queues.frames.lockDuration": 120}, set()),
        ({"monitoring.podMonitor.labels": {"a": "b"}}, set()),
    ],
)
def test_a_changed_setting_restarts_who_reads_it(values: dict[str, Any], restarted: set[str]) -> None:
    before, after = checksums({}), checksums(values)
    assert {name.removeprefix("framebrush-") for name in before if before[name] != after[name]} == restarted


def test_upgrades_leave_the_replicas_alone() -> None:
    for name, deployment in render("aks").of("Deployment").items():
        assert "replicas" not in deployment["spec"], name
    fixed = render("", {"services.dispatcher.scaling": {"enabled": False, "minReplicas": 2}})
    assert fixed.of("Deployment")["framebrush-dispatcher"]["spec"]["replicas"] == 2
    assert "framebrush-dispatcher" not in fixed.of("ScaledObject")


def test_recreate_has_no_rolling_update() -> None:
    found = render("", {"defaults.strategy.type": "Recreate"})
    assert found.of("Deployment")["framebrush-splitter"]["spec"]["strategy"] == {"type": "Recreate"}


# --- draining


@settings(max_examples=15, deadline=None)
@given(
    timeout=st.integers(1, 7200),
    grace=st.none() | st.integers(0, 7200),
    linger=st.integers(0, 60) | st.floats(0, 60).map(lambda each: round(each, 1)),
)
def test_the_grace_period_follows_from_the_message_timeout(timeout: int, grace: int | None, linger: float) -> None:
    values: dict[str, Any] = {"messageTimeout": timeout, "metricsLinger": linger, "scaling": {"cooldownPeriod": 7200}}
    found = render("", {"services.scorer.pools.t4": values | ({} if grace is None else {"drainGrace": grace})})
    environment = found.environment("framebrush-scorer-t4")
    drain = timeout if grace is None else grace
    assert float(environment["FRAMEBRUSH_MESSAGE_TIMEOUT"]) == timeout
    assert float(environment["FRAMEBRUSH_DRAIN_GRACE"]) == drain
    assert float(environment["FRAMEBRUSH_METRICS_LINGER"]) == linger
    assert spec(found, "framebrush-scorer-t4")["terminationGracePeriodSeconds"] == math.ceil(drain + linger + 15)


def test_by_default_a_message_in_hand_may_end() -> None:
    found = render()
    for name in found.of("Deployment"):
        environment = found.environment(name)
        assert environment["FRAMEBRUSH_DRAIN_GRACE"] == environment["FRAMEBRUSH_MESSAGE_TIMEOUT"]
        assert spec(found, name)["terminationGracePeriodSeconds"] > float(environment["FRAMEBRUSH_MESSAGE_TIMEOUT"])


def test_no_budget_forbids_an_eviction() -> None:
    for name, budget in render().of("PodDisruptionBudget").items():
        assert budget["spec"]["maxUnavailable"] == "50%", name  # of one pod it is one
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert "minAvailable" not in budget["spec"]
    assert not any("scorer" in name or "learner" in name for name in render().of("PodDisruptionBudget"))


# --- what else a pod gets


def test_styles_are_for_scorers() -> None:
    for values in (
        {"styles.existingConfigMap": "films"},
        {"styles.volume": {"persistentVolumeClaim": {"claimName": "films"}}},
    ):
        found = render("", values)
        for name in found.of("Deployment"):
            mounts = {each["name"]: each for each in container(found, name)["volumeMounts"]}
            assert ("styles" in mounts) is ("scorer" in name)
            assert (found.environment(name).get("FRAMEBRUSH_STYLES") == "/styles") is ("scorer" in name)
        assert mounts.get("tmp") == {"name": "tmp", "mountPath": "/tmp"}
    volumes = spec(render("", {"styles.existingConfigMap": "films"}), "framebrush-scorer-default")["volumes"]
    assert {"name": "styles", "configMap": {"name": "films"}} in volumes


def test_scrapes() -> None:
    found = render("", {"services.splitter.podAnnotations": {"prometheus.io/scrape": "false", "a": "b"}})
    annotations = found.pod("framebrush-stitcher")["metadata"]["annotations"]
    assert [annotations[f"prometheus.io/{key}"] for key in ("scrape", "port", "path")] == ["true", "9090", "/metrics"]
    assert (
        found.pod("framebrush-splitter")["metadata"]["annotations"].items()
        >= {"prometheus.io/scrape": "false", "a": "b"}.items()
    )
    off = render("", {"monitoring.scrapeAnnotations": False, "monitoring.podMonitor.enabled": True})
    assert "prometheus.io" not in off.text
    monitors = off.of("PodMonitor")
    monitor = monitors.pop("framebrush")
    labels = off.pod("framebrush-scorer-default")["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["spec"]["jobLabel"]] == "framebrush"
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in {
        each["name"] for each in container(off, "framebrush-scorer-default")["ports"]
    }

    assert monitors["framebrush-keda"]["spec"]["namespaceSelector"] == {"matchNames": ["keda"]}


def test_managed_prometheus_reads_monitors_of_its_own_kind() -> None:
    found = render("aks")
    monitors = found.of("PodMonitor")
    assert {each["apiVersion"] for each in monitors.values()} == {"azmonitoring.coreos.com/v1"}
    assert monitors["framebrush-keda"]["spec"]["namespaceSelector"] == {"matchNames": ["kube-system"]}
    alone = render("aks", {"monitoring.podMonitor.keda.enabled": False})
    assert alone.of("PodMonitor").keys() == {"framebrush"}


def test_images_by_digest() -> None:
    digests = {"scorer": digest("a"), "dispatcher": digest("b")}
    pools = {"default": {}, "own": {"image": {"tag": "cu126"}}, "same": {"image": {"digest": digest("c")}}}
    found = render("", {"image.digests": digests, "services.scorer.pools": pools, "setup.enabled": True})
    images = {
        name: container(found, f"framebrush-{name}")["image"].removeprefix("framebrush/")
        for name in ("scorer-default", "scorer-own", "scorer-same", "learner", "dispatcher", "setup", "splitter")
    }
    version = found.pod("framebrush-splitter")["metadata"]["labels"]["app.kubernetes.io/version"]
    assert images == {
        "scorer-default": f"scorer:{version}@{digest('a')}",
        "scorer-own": "scorer:cu126",  # the digest is another image's
        "scorer-same": f"scorer:{version}@{digest('c')}",
        "learner": f"scorer:{version}@{digest('a')}",
        "dispatcher": f"dispatcher:{version}@{digest('b')}",
        "setup": f"dispatcher:{version}@{digest('b')}",
        "splitter": f"splitter:{version}",
    }


def test_what_an_installation_adds() -> None:
    found = render(*CASES["everything"])
    pod = found.pod("framebrush-stitcher")["spec"]
    assert pod["initContainers"][0]["name"] == "fetch"
    assert {"name": "more", "emptyDir": {}} in pod["volumes"]
    assert {"name": "more", "mountPath": "/more"} in pod["containers"][0]["volumeMounts"]
    assert found.of("ConfigMap").keys() >= {"framebrush-a", "text"}, "manifests are templates, as maps and as text"


def test_no_gpu_node_starts_for_the_first_pod_of_a_deployment() -> None:
    found = render("aks")
    for name, pod in found.pods():
        gpu = "nvidia.com/gpu" in pod["spec"]["containers"][0].get("resources", {}).get("limits", {})
        patience = pod["metadata"].get("annotations", {}).get("cluster-autoscaler.kubernetes.io/pod-scale-up-delay")
        assert (patience == "30s") is gpu, name


def test_a_cluster_without_keda_is_refused_where_one_answers() -> None:
    real = ("--api-versions", "apiregistration.k8s.io/v1")
    minimum = assignments(MINIMUM)
    without = helm("template", *minimum, *real)
    assert "has no KEDA" in without.stderr
    assert "az aks update --enable-keda" in without.stderr
    old = ("--api-versions", "keda.sh/v1alpha1/ScaledObject")
    keda = (*old, "--api-versions", "eventing.keda.sh/v1alpha1/ClusterCloudEventSource")
    assert helm("template", *minimum, *real, *keda).returncode == 0
    outdated = helm("template", *minimum, *real, *old)
    assert "this cluster's KEDA is older than 2.16, and 2.17 is needed" in outdated.stderr
    for remedy in ("az aks upgrade", "helm upgrade keda kedacore/keda"):
        assert remedy in outdated.stderr
    monitored = helm("template", *minimum, *real, *keda, "--set", "monitoring.podMonitor.enabled=true")
    assert "knows no PodMonitor of monitoring.coreos.com/v1" in monitored.stderr


def test_alerts_link_to_the_runbook() -> None:
    values = {"monitoring.rules": {"enabled": True, "runbook": "https://wiki.contoso.com/framebrush"}}
    text = render("", values).text
    assert "runbook: https://wiki.contoso.com/framebrush#framebrushnoconsumer" in text
    assert "docs/runbook.md" not in text
    without = render("", {"monitoring.rules.enabled": True})
    [rules] = without.of("PrometheusRule").values()
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert alerts
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in alerts), "no link leads nowhere"
    with pytest.raises(Refused, match="runbook"):
        render("", {"monitoring.rules.enabled": True, "monitoring.rules.runbook": "docs/runbook.md"})


def test_rules_and_dashboards_are_those_of_the_chart() -> None:
    address = "https://wiki.contoso.com/docs/runbook.md"
    values = {"enabled": True, "labels": {"release": "prometheus"}, "runbook": address}
    rules = render("", {"monitoring.rules": values}).of("PrometheusRule")
    ours = (CHART / "alerts/rules.yaml").read_text().replace("docs/runbook.md", address)
    assert rules["framebrush"]["spec"] == yaml.safe_load(ours)
    assert rules["framebrush"]["metadata"]["labels"]["release"] == "prometheus"
    found = Manifests(helm("template", *assignments(MINIMUM)).stdout)
    maps = [
        each for each in found.of("ConfigMap").values() if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    kept = {path.name: json.loads(path.read_text()) for path in (CHART / "dashboards").glob("*.json")}
    assert {name: json.loads(text) for each in maps for name, text in each["data"].items()} == kept


def test_a_scorer_that_is_given_a_gpu_starts_on_nothing_else() -> None:
    gpu = {"services.scorer.resources.limits": {"nvidia.com/gpu": 1}}
    for values, device in (
        ({}, None),
        (gpu, "cuda"),
        (gpu | {"services.scorer.settings.device": "cpu"}, "cpu"),
        (gpu | {"services.scorer.settings.device": "auto"}, "auto"),
    ):
        assert render("", values).environment("framebrush-scorer-default").get("FRAMEBRUSH_DEVICE") == device
