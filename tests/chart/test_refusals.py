"""Values that the chart does not take, and that its answer names the value and the fix."""

from typing import Any

import pytest
from chart.generate import helm
from chart.rendered import CLIENT, MINIMUM, Refused, render

KEYS = {"auth.mode": "connectionString"}
SCORER = "services.scorer"
REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    # the schema's
    "unknown key": ({"replicas": 3}, ["additional properties 'replicas' not allowed"]),
    "unknown key below": ({"image.tags": "1"}, ["/image", "'tags' not allowed"]),
    "unknown service": ({"services.painter": {}}, ["/services", "'painter' not allowed"]),
    "unknown setting": ({"services.splitter.settings.maxFrame": 1}, ["/services/splitter/settings", "'maxFrame'"]),
    "setting of another service": ({"services.splitter.settings.device": "cpu"}, ["/splitter/settings", "'device'"]),
    "unknown key of a pool": ({f"{SCORER}.pools.t4.gpus": 1}, ["/services/scorer/pools/t4", "'gpus' not allowed"]),
    "pools of another service": ({"services.stitcher.pools": {}}, ["/services/stitcher", "'pools' not allowed"]),
    "unknown queue": ({"queues.frame": {}}, ["/queues", "'frame' not allowed"]),
    "wrong type": ({"image.tag": 1.0}, ["/image/tag", "got number, want string"]),
    "number as text": ({"services.scorer.concurrency": "3"}, ["/scorer/concurrency", "got string, want integer"]),
    "annotation that is no text": ({"defaults.podAnnotations": {"a": True}}, ["/podAnnotations/a", "want string"]),
    "no such mode": ({"auth.mode": "keys"}, ["/auth/mode", "'workloadIdentity', 'connectionString'"]),
    "no client id": ({"auth.workloadIdentity.clientId": "framebrush"}, ["/auth/workloadIdentity/clientId"]),
    "too many at a time": ({"defaults.concurrency": 65}, ["/defaults/concurrency", "maximum: got 65, want 64"]),
    "fallback to zero": ({"defaults.scaling.fallback.replicas": 0}, ["/fallback/replicas", "minimum: got 0, want 1"]),
    "long name of a pool": ({f"{SCORER}.pools.a-pool-of-spot-t4s": {}}, ["/pools", "a-pool-of-spot-t4s"]),
    "lock too long": ({"queues.batches.lockDuration": 301}, ["/queues/batches/lockDuration", "want 300"]),
    "name of a container": ({"containers.input": "In_Put"}, ["/containers/input"]),
    "label of the chart": (
        {"defaults.podLabels": {"app.kubernetes.io/component": "x"}},
        ["/defaults/podLabels/app.kubernetes.io~1component", "false schema"],
    ),
    # the templates'
    "no namespace": (
        {"azure.serviceBusNamespace": ""},
        ["azure.serviceBusNamespace is empty", "--set azure.serviceBusNamespace=NAME", "values-kind.yaml"],
    ),
    "no storage account": (
        {"azure.storageAccount": ""},
        ["azure.storageAccount is empty", "--set azure.storageAccount=NAME"],
    ),
    "no identity": (
        {"auth.workloadIdentity.clientId": ""},
        ["no client id", "auth.workloadIdentity.clientId", "az identity show", "auth.mode=connectionString"],
    ),
    "no identity of KEDA": (
        {"auth.workloadIdentity.keda.identityId": ""},
        ["auth.workloadIdentity.keda.identityId is empty", "KEDA add-on", "keda.annotated=true"],
    ),
    "digest that is none": ({"image.digests": {"scorer": "latest"}}, ["/image/digests/scorer", "sha256"]),
    "digest of no image": ({"image.digests": {"painter": "sha256:0"}}, ["/image/digests", "painter"]),
    "no identity of the Job": (
        {"auth.workloadIdentity.clientId": "", "setup.enabled": True, "defaults.serviceAccount.create": False},
        ["no client id for the set-up Job", "setup.serviceAccount.clientId", "setup.enabled=false"],
    ),
    "keys without a Secret": (
        KEYS,
        ["auth.connectionString.storage is empty", "auth.connectionString.existingSecret"],
    ),
    "keys without the broker's": (
        KEYS | {"auth.connectionString.storage": "x"},
        ["auth.connectionString.serviceBus is empty", "auth.connectionString.existingSecret"],
    ),
    "two sources of styles": (
        {"styles.existingConfigMap": "a", "styles.volume": {"emptyDir": {}}},
        ["styles.existingConfigMap and styles.volume are both set"],
    ),
    "no scorer": (
        {f"{SCORER}.pools.default.enabled": False},
        ["no scorer is enabled", "enable services.scorer or one of its pools"],
    ),
    "no stitcher": ({"services.stitcher.enabled": False}, ["no stitcher is enabled"]),
    "fewer than least": (
        {"services.splitter.scaling": {"minReplicas": 5, "maxReplicas": 2}},
        ["services.splitter: scaling.maxReplicas (2) is less than scaling.minReplicas (5)"],
    ),
    "short cooldown": (
        {f"{SCORER}.pools.t4": {"drainGrace": 20, "scaling": {"cooldownPeriod": 60}}},
        ["services.scorer.pools.t4", "cooldownPeriod (60) + drainGrace (20)", "messageTimeout (600)", "raise scaling"],
    ),
    "broker gives up first": (
        {"queues.scored.maxDeliveryCount": 5},
        ["queues.scored.maxDeliveryCount (5) must exceed settings.maxDeliveries (8)"],
    ),
    "two identities of one account": (
        {"services.stitcher.serviceAccount.clientId": "33333333-3333-3333-3333-333333333333"},
        ["serviceAccount", '"framebrush" has another clientId', "give this one a name of its own"],
    ),
    "the Job as the services": (
        {"setup.enabled": True, "setup.serviceAccount.name": "framebrush"},
        ["setup.serviceAccount.name", "give another name"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    values, words = REFUSED[case]
    with pytest.raises(Refused) as refused:
        render("", values)
    for word in words:
        assert word in str(refused.value)


def test_nothing_given() -> None:
    done = helm("template")
    assert done.returncode
    assert "azure.serviceBusNamespace is empty: name the Service Bus namespace" in done.stderr


@pytest.mark.parametrize("missing", MINIMUM)
def test_each_of_the_minimum_is_needed(missing: str) -> None:
    with pytest.raises(Refused, match=missing):
        render("", {missing: ""})


ALLOWED: dict[str, dict[str, Any]] = {
    "accounts made elsewhere": {"auth.workloadIdentity.clientId": "", "defaults.serviceAccount.create": False},
    "KEDA with an identity of its own": {
        "auth.workloadIdentity.keda.identityId": "", "auth.workloadIdentity.keda.annotated": True,
    },
    "a service as another identity": {"services.stitcher.serviceAccount": {"name": "stitcher", "clientId": CLIENT}},
    "Job as an account that is there": {
        "setup.enabled": True, "setup.serviceAccount.create": False, "setup.serviceAccount.name": "framebrush",
    },
    "short cooldown without scaling": {
        "services.scorer.scaling": {"enabled": False, "cooldownPeriod": 1}, "services.scorer.drainGrace": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    assert render("", ALLOWED[case]).of("Deployment").keys() >= {"framebrush-splitter", "framebrush-scorer-default"}
