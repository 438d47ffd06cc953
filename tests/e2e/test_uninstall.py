"""The last test: what stays when the chart goes."""

import pytest
from kubernetes import client
from support.cluster import NAMESPACE, RELEASE, Cluster

pytestmark = [pytest.mark.core, pytest.mark.timeout(600)]


def test_uninstall_leaves_nothing_but_the_volumes(cluster: Cluster, undisturbed: bytes) -> None:
    cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    cluster.wait("all pods gone", lambda: not cluster.core.list_namespaced_pod(NAMESPACE).items or None, 300)
    kinds = {
        "deployments": cluster.apps.list_namespaced_deployment,
        "services": cluster.core.list_namespaced_service,
        "secrets": cluster.core.list_namespaced_secret,
        "configmaps": cluster.core.list_namespaced_config_map,
        "jobs": client.BatchV1Api().list_namespaced_job,
        "service accounts": cluster.core.list_namespaced_service_account,
        "network policies": client.NetworkingV1Api().list_namespaced_network_policy,
        "autoscalers": client.AutoscalingV2Api().list_namespaced_horizontal_pod_autoscaler,
    }
    left = {kind: [each.metadata.name for each in fetch(NAMESPACE).items] for kind, fetch in kinds.items()}
    left["configmaps"].remove("kube-root-ca.crt")
    left["service accounts"].remove("default")
    assert not any(left.values()), left
    objects = client.CustomObjectsApi().list_namespaced_custom_object("keda.sh", "v1alpha1", NAMESPACE, "scaledobjects")
    assert objects["items"] == []
    names = [each.metadata.name for each in cluster.core.list_namespaced_config_map("keda").items]
    assert "framebrush-broker-ca" not in names
