"""What the program makes is what the chart expects, and what `framebrush setup` would make."""

import json
import re
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart.generate import CHART, ToolMissing, helm
from chart.rendered import Manifests
from provisioning.built import EVERYTHING, MINIMUM, Built, build
from pydantic import ValidationError
from support.tools import missing

from framebrush.storage import StorageSettings
from framebrush_azure.chart import SPOT_TAINT, longest_termination, toleration
from framebrush_azure.cluster import SLACK
from framebrush_azure.names import fullname
from framebrush_azure.settings import Installation, described
from framebrush_cli.installation import read_queues
from framebrush_cli.local import QUEUES_FILE

CLIENT = re.compile(r"client-of-[a-z0-9-]+")
GUID = "33333333-3333-3333-3333-333333333333"


def manifests(built: Built, folder: Path) -> Manifests:
    """The chart with the values that the program prints, as an installation would render it."""
    values = folder / "my-names.yaml"
    values.write_text(CLIENT.sub(GUID, built.exports["values"]))
    try:
        done = helm(
            "template", "--values", CHART / "values-aks.yaml", "--values", values,
            release=built.installation.release,
        )  # fmt: skip
    except ToolMissing:
        missing("helm is missing: https://helm.sh")
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


@pytest.fixture(scope="session")
def rendered(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    return manifests(built, tmp_path_factory.mktemp("values"))


def test_every_service_account_has_its_credential(built: Built, rendered: Manifests) -> None:
    namespace = built.installation.kubernetes_namespace
    found = {inputs["subject"] for inputs in built.of("managedidentity:FederatedIdentityCredential").values()}
    made = {f"system:serviceaccount:{namespace}:{name}" for name in rendered.of("ServiceAccount")}
    assert found == made | {"system:serviceaccount:kube-system:keda-operator"}
    used = {f"system:serviceaccount:{namespace}:{pod['spec']['serviceAccountName']}" for _, pod in rendered.pods()}
    assert used == made
    for inputs in built.of("managedidentity:FederatedIdentityCredential").values():
        assert inputs["issuer"] == "https://issuer.example/"
        assert inputs["audiences"] == ["api://AzureADTokenExchange"]


def test_every_account_is_annotated_with_its_own_identity(built: Built) -> None:
    values, name = built.values, built.installation.name
    for service, given in values["services"].items():
        assert given["serviceAccount"]["clientId"] == f"client-of-{name}-{service}"
    assert values["setup"]["serviceAccount"]["clientId"] == f"client-of-{name}-setup"
    assert values["test"]["serviceAccount"]["clientId"] == f"client-of-{name}-test"
    assert values["auth"]["workloadIdentity"]["keda"]["identityId"] == f"client-of-{name}-keda"


def pools(built: Built) -> dict[str, dict[str, Any]]:
    return {inputs["agentPoolName"]: inputs for inputs in built.of("containerservice:AgentPool").values()}


def taints(pool: dict[str, Any]) -> list[str]:
    """The taints of a pool's nodes, with the one that AKS gives to spot nodes."""
    return [*pool.get("nodeTaints", []), *([SPOT_TAINT] if pool.get("scaleSetPriority") == "Spot" else [])]


def test_gpu_pods_fit_their_nodes_and_no_others(built: Built, rendered: Manifests) -> None:
    nodes, seen = pools(built), set()
    for name, pod in rendered.pods():
        spec = pod["spec"]
        limits = spec["containers"][0].get("resources", {}).get("limits", {})
        if "nvidia.com/gpu" not in limits:
            assert not any(each.get("value") == "gpu" for each in spec.get("tolerations", [])), name
            continue
        pool = spec["nodeSelector"]["agentpool"]
        wanted = [toleration(each) for each in taints(nodes[pool])]
        assert sorted(spec["tolerations"], key=itemgetter("key")) == sorted(wanted, key=itemgetter("key"))
        seen.add(pool)
    assert seen == {pool.name for pool in built.installation.gpu_pools}
    scaled = {name: each["spec"] for name, each in rendered.of("ScaledObject").items() if "-scorer-" in name}
    assert {name.rpartition("-scorer-")[2]: spec["maxReplicaCount"] for name, spec in scaled.items()} == {
        pool.name: pool.max_nodes for pool in built.installation.gpu_pools
    }
    waiting = {
        name: int(spec["triggers"][0]["metadata"]["activationMessageCount"]) > 0 for name, spec in scaled.items()
    }
    assert list(waiting.values()).count(False) == 1, "one pool starts for the first message"


def test_the_device_plugin_runs_on_every_gpu_node(built: Built) -> None:
    plugin = yaml.safe_load((Path(CHART).parents[1] / "k8s/azure/device-plugin.yaml").read_text())
    tolerated = plugin["spec"]["template"]["spec"]["tolerations"]
    for pool in pools(built).values():
        if "gpuProfile" in pool:
            assert all(toleration(taint) in tolerated for taint in taints(pool))


def test_pools_are_empty_when_nothing_is_to_do(built: Built) -> None:
    for pool in pools(built).values():
        assert (pool["minCount"], pool["enableAutoScaling"], pool["mode"]) == (0, True, "User")
    [system] = built.of("containerservice:ManagedCluster").values()
    assert system["agentPoolProfiles"][0]["nodeTaints"] == ["CriticalAddonsOnly=true:NoSchedule"]


def test_queues_are_those_of_the_chart_and_of_setup(built: Built) -> None:
    chart = yaml.safe_load((CHART / "values.yaml").read_text())["queues"]
    setup = read_queues(QUEUES_FILE)
    made = {inputs["queueName"]: inputs for inputs in built.of("servicebus:Queue").values()}
    assert made.keys() == chart.keys() == setup.keys()
    for name, inputs in made.items():
        assert seconds(inputs["lockDuration"]) == chart[name]["lockDuration"] == setup[name].lock_duration_s
        assert inputs["maxDeliveryCount"] == chart[name]["maxDeliveryCount"] == setup[name].max_delivery_count
        window = seconds(inputs["duplicateDetectionHistoryTimeWindow"])
        assert window == chart[name]["duplicateDetectionWindow"] == setup[name].duplicate_detection_window_s
        assert inputs["requiresDuplicateDetection"]
        assert inputs["deadLetteringOnMessageExpiration"] == setup[name].dead_lettering_on_message_expiration
        assert inputs["maxSizeInMegabytes"] == setup[name].max_size_mb


def seconds(text: str) -> float:
    match = re.fullmatch(r"PT(\d+)S", text)
    assert match
    return timedelta(seconds=int(match[1])).total_seconds()


def test_containers_are_those_of_the_chart(built: Built) -> None:
    chart = yaml.safe_load((CHART / "values.yaml").read_text())["containers"]
    made = built.of("storage:BlobContainer")
    assert {use: inputs["containerName"] for use, inputs in made.items()} == chart
    assert {inputs["publicAccess"] for inputs in made.values()} == {"None"}


def test_services_look_for_every_container_in_the_account_that_has_it(built: Built, rendered: Manifests) -> None:
    """The program, the chart and the services each know which containers are whose."""
    for name in ("splitter", "dispatcher", "stitcher", "learner"):
        found = rendered.environment(f"{fullname(built.installation)}-{name}")
        settings = StorageSettings.model_validate({k.removeprefix("FRAMEBRUSH_").lower(): v for k, v in found.items()})
        host = {True: settings.system_storage_account_url, False: settings.storage_account_url}
        for container in settings.containers:
            account = built.accounts[container]
            assert host[container in settings.system_containers] == f"https://{account}.blob.core.windows.net"
    assert len(set(built.accounts.values())) == 2


def test_a_pod_may_end_its_longest_message(built: Built, rendered: Manifests) -> None:
    [cluster] = built.of("containerservice:ManagedCluster").values()
    grace = max(pod["spec"].get("terminationGracePeriodSeconds", 0) for _, pod in rendered.pods())
    assert longest_termination() >= grace
    assert int(cluster["autoScalerProfile"]["maxGracefulTerminationSec"]) == longest_termination() + SLACK


def test_only_the_account_of_films_tells_of_blobs(built: Built) -> None:
    [topic] = built.of("eventgrid:SystemTopic").values()
    assert topic["source"] == f"/id/of/StorageAccount/{built.accounts['input']}"


def test_films_that_are_dropped_reach_the_triggers_queue_and_outputs_do_not(built: Built) -> None:
    [events] = built.of("eventgrid:SystemTopicEventSubscription").values()
    delivery = events["deliveryWithResourceIdentity"]
    assert delivery["destination"]["resourceId"] == f"/id/of/Queue/{built.installation.name}-triggers"
    assert delivery["identity"]["type"] == "SystemAssigned"
    chart = yaml.safe_load((CHART / "values.yaml").read_text())["containers"]
    assert events["filter"]["subjectBeginsWith"] == f"/blobServices/default/containers/{chart['input']}/blobs/"
    assert events["filter"]["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]


def test_nobody_comes_in_with_a_key(built: Built) -> None:
    accounts = list(built.of("storage:StorageAccount").values())
    assert len(accounts) == 2
    [bus], [registry], [cluster] = (
        list(built.of(kind).values())
        for kind in (
            "servicebus:Namespace", "containerregistry:Registry",
            "containerservice:ManagedCluster",
        )
    )  # fmt: skip
    for account in accounts:
        assert account["allowSharedKeyAccess"] is account["allowBlobPublicAccess"] is False
    assert bus["disableLocalAuth"]
    assert registry["adminUserEnabled"] is registry["anonymousPullEnabled"] is False
    assert cluster["disableLocalAccounts"]
    assert cluster["oidcIssuerProfile"]["enabled"]
    assert cluster["securityProfile"]["workloadIdentity"]["enabled"]
    assert cluster["workloadAutoScalerProfile"]["keda"]["enabled"]
    assert cluster["networkProfile"]["networkPolicy"] == "cilium"
    assert bus["sku"]["name"] in ("Standard", "Premium"), "Basic has no duplicate detection"


def test_private_means_private(private: Built, plain: Built) -> None:
    closed = ("storage:StorageAccount", "servicebus:Namespace", "containerregistry:Registry")
    for built, access in ((private, "Disabled"), (plain, "Enabled")):
        assert {inputs["publicNetworkAccess"] for kind in closed for inputs in built.of(kind).values()} == {access}
    endpoints = private.of("network:PrivateEndpoint")
    zones = private.of("privatedns:PrivateZone")
    assert endpoints.keys() == {"films", "system", "namespace", "registry"}
    assert zones.keys() == {"blob", "namespace", "registry"}
    reached = {
        link["privateLinkServiceId"]: link["groupIds"]
        for endpoint in endpoints.values()
        for link in endpoint["privateLinkServiceConnections"]
    }
    for account in set(private.accounts.values()):
        assert reached[f"/id/of/StorageAccount/{account}"] == ["blob"]
    assert not plain.of("network:PrivateEndpoint")
    [cluster] = private.of("containerservice:ManagedCluster").values()
    assert cluster["apiServerAccessProfile"]["enablePrivateCluster"]
    [rules] = private.of("servicebus:NamespaceNetworkRuleSet").values()
    assert rules["trustedServiceAccessEnabled"], "or Event Grid could not deliver"
    subnets = private.of("network:Subnet")
    assert private.values["networkPolicy"]["egressCIDRs"] == [subnets["endpoints"]["addressPrefix"]]


def test_alerts_are_those_of_the_chart(built: Built) -> None:
    groups = json.loads((CHART / "alerts/azure.json").read_text())["resources"]
    made = built.of("alertsmanagement:PrometheusRuleGroup")
    assert made.keys() == {group["name"] for group in groups}
    for group in groups:
        rules = made[group["name"]]["rules"]
        assert [rule.get("alert") for rule in rules] == [rule.get("alert") for rule in group["properties"]["rules"]]
        assert [rule["expression"] for rule in rules] == [rule["expression"] for rule in group["properties"]["rules"]]
        alerts = [rule for rule in rules if "alert" in rule]
        assert all(rule["actions"][0]["actionGroupId"].startswith("/id/of/ActionGroup/") for rule in alerts)
        for rule in alerts:
            link = f"{built.installation.runbook}#{rule['alert'].lower()}" if built.installation.runbook else None
            assert rule["annotations"].get("runbook") == link


def test_the_budget_tells_people(built: Built) -> None:
    [budget] = built.of("consumption:Budget").values()
    assert budget["amount"] == built.installation.monthly_budget
    assert {each["threshold"] for each in budget["notifications"].values()} == {80, 100}
    assert all(each["contactEmails"] == ["operator@contoso.com"] for each in budget["notifications"].values())


def test_what_lies_between_goes_away(built: Built) -> None:
    [policy] = built.of("storage:ManagementPolicy").values()
    assert policy["accountName"] == built.accounts["work"] == built.accounts["logs"]
    deleted = {
        prefix: rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
        for rule in policy["policy"]["rules"]
        for prefix in rule["definition"]["filters"]["prefixMatch"]
    }
    assert deleted == {"work/runs/": 30, "logs/": 90}, "statuses and outputs stay"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody to tell": ({"emails": []}, "emails"),
    "unknown field": ({"regoin": "westeurope"}, "regoin"),
    "unknown field of a pool": ({"gpu-pools": [{"name": "t4", "nodes": 3}]}, "gpu_pools.0.nodes"),
    "a retired size": ({"gpu-pools": [{"name": "v100", "vm_size": "Standard_NC6s_v3"}]}, "gpu_pools.0"),
    "a GRID driver": ({"gpu-pools": [{"name": "a10", "vm_size": "Standard_NV36ads_A10_v5"}]}, "gpu_pools.0"),
    "two pools of one name": ({"gpu-pools": [{"name": "t4"}, {"name": "t4"}]}, ""),
    "a pool called cpu": ({"gpu-pools": [{"name": "cpu"}]}, ""),
    "no pool": ({"gpu-pools": []}, ""),
    "a name that storage refuses": ({"name": "Frame-Brush"}, "name"),
    "a person by mail": ({"submitters": ["me@contoso.com"]}, "submitters.0"),
    "a link that leads nowhere": ({"runbook": "docs/runbook.md"}, "runbook"),
    "no money": ({"monthly-budget": 0}, "monthly_budget"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_made(case: str) -> None:
    values, place = REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        described(MINIMUM | values)
    assert place in {".".join(map(str, error["loc"])) for error in refused.value.errors()}


def test_a_property_that_azure_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from pulumi_azure_native import servicebus

    original = servicebus.Queue
    monkeypatch.setattr(servicebus, "Queue", lambda name, **given: original(name, lockDuraton="PT1M", **given))
    with pytest.raises(TypeError, match="lockDuraton"):
        build()


def test_the_example_is_an_installation() -> None:
    text = (Path(CHART).parents[1] / "k8s/azure/Pulumi.example.yaml").read_text()
    values = yaml.safe_load(text)["config"]["framebrush:installation"]
    assert isinstance(described(values), Installation)
    assert described(EVERYTHING).private
