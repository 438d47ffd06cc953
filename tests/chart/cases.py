"""Values that every check of the manifests is made with."""

from typing import Any

from chart.rendered import CLIENT


def digest(letter: str) -> str:
    """An image's digest."""
    return f"sha256:{64 * letter}"


KEYS = {"auth.mode": "connectionString", "auth.connectionString.existingSecret": "keys"}
"""Connection strings in a Secret that is there."""
GIVEN = {"auth.mode": "connectionString", "auth.connectionString.storage": "S", "auth.connectionString.serviceBus": "B"}
"""Connection strings in values."""
SECURE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
EVERYTHING: dict[str, Any] = {
    "setup.enabled": True,
    "setup.serviceAccount.annotations": {"a/b": "c"},
    "image.registry": "contoso.azurecr.io",
    "image.pullSecrets": ["pull"],
    "auth.workloadIdentity.tenantId": CLIENT,
    "auth.workloadIdentity.keda": {"identityId": CLIENT, "tenantId": CLIENT},
    "image.digests": {"scorer": digest("a"), "splitter": digest("b")},
    "defaults.initContainers": [{"name": "fetch", "image": "fetch:1", "securityContext": SECURE}],
    "defaults.volumes": [{"name": "more", "emptyDir": {}}],
    "defaults.volumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraManifests": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-a"}, "data": {"b": "c"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n",
    ],
    "styles.volume": {"persistentVolumeClaim": {"claimName": "styles", "readOnly": True}},
    "defaults.env": [{"name": "A", "value": "b"}],
    "defaults.podAnnotations": {"a": "b"},
    "defaults.podLabels": {"c": "d"},
    "defaults.affinity": {"podAntiAffinity": {}},
    "defaults.topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "defaults.runtimeClassName": "nvidia",
    "defaults.priorityClassName": "low",
    "defaults.strategy": {"type": "Recreate"},
    "defaults.scaling.annotations": {"autoscaling.keda.sh/paused": "false"},
    "defaults.scaling.useCachedMetrics": True,
    "defaults.tmp.volume": {"emptyDir": {"medium": "Memory"}},
    "monitoring.podMonitor.enabled": True,
    "networkPolicy.metricsFrom": [{"namespaceSelector": {}}],
    "tracing.endpoint": "http://collector.monitoring:4318",
    "networkPolicy.tracesTo": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    "networkPolicy.egressCIDRs": ["10.0.0.0/16", "10.1.0.0/16"],
}
"""Every optional part at once."""
CASES = {
    "default": ("", {}),
    "everything": ("", EVERYTHING),
    "keys": ("", KEYS | {"setup.enabled": True}),
    "created secret": ("", GIVEN),
    "no scaling": ("", {"defaults.scaling.enabled": False}),
    "passing storage": (
        "kind",
        {"local.persistence.enabled": False, "local.broker.nodePorts": {}, "local.broker.tls.kedaNamespace": ""},
    ),
    "own certificate": (
        "kind", {"local.broker.tls.existingSecret": "mine", "local.tolerations": [{"operator": "Exists"}]},
    ),
}  # fmt: skip
