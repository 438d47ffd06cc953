"""Each binding between the program, the chart and the services is broken once, and the test that guards it sees it."""

import copy
import inspect
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chart.rendered import Manifests
from provisioning import test_access as access
from provisioning import test_bindings as bindings
from provisioning.built import Built
from provisioning.recorded import record

from framebrush_azure.access import CALLS, Role

Change = Callable[[dict[str, Any]], object]


class Broken:
    """An installation in which one resource is not what it should be."""

    def __init__(self, built: Built) -> None:
        self.built = copy.deepcopy(built)

    def change(self, kind: str, name: str, change: Change) -> None:
        """Change the inputs of the resources of a kind whose names end so."""
        found = [
            each for each in self.built.resources if each.typ == f"azure-native:{kind}" and each.name.endswith(name)
        ]
        assert found, f"there is no {kind} {name}"
        for each in found:
            change(each.inputs)

    def drop(self, kind: str, name: str) -> None:
        """Leave a resource out."""
        left = [e for e in self.built.resources if not (e.typ == f"azure-native:{kind}" and e.name.endswith(name))]
        assert len(left) == len(self.built.resources) - 1
        self.built.resources[:] = left

    def say(self, old: str, new: str) -> None:
        """Let the chart's values say something else."""
        assert old in self.built.exports["values"]
        self.built.exports["values"] = self.built.exports["values"].replace(old, new)


def put(**values: Any) -> Change:
    return lambda inputs: inputs.update(values)


def within(path: str, **values: Any) -> Change:
    """Change what lies deeper, along keys and numbers with dots between them."""

    def change(inputs: dict[str, Any]) -> None:
        found: Any = inputs
        for part in path.split("."):
            found = found[int(part)] if part.isdigit() else found[part]
        found.update(values)

    return change


def setup_with_a_longer_lock(patch: pytest.MonkeyPatch) -> None:
    read = bindings.read_queues

    def longer(*arguments: Any) -> Any:
        queues = read(*arguments)
        return queues | {"batches": queues["batches"].model_copy(update={"lock_duration_s": 61})}

    patch.setattr(bindings, "read_queues", longer)


def a_role_too_many(broken: Broken) -> None:
    broken.change(
        "authorization:RoleAssignment", "scorer-styles-blob_reader",
        lambda inputs: inputs.update(
            roleDefinitionId=inputs["roleDefinitionId"].replace(Role.BLOB_READER.value, Role.BLOB_CONTRIBUTOR.value)
        ),
    )  # fmt: skip


POOL, CLUSTER, ROLE = "containerservice:AgentPool", "containerservice:ManagedCluster", "authorization:RoleAssignment"
ACCOUNT, EVENTS = "storage:StorageAccount", "eventgrid:SystemTopicEventSubscription"
CREDENTIAL = "managedidentity:FederatedIdentityCredential"
OTHER = "/id/of/StorageAccount/elsewhere"
CASES: dict[str, tuple[Callable[[Broken], object], Callable[..., None]]] = {
    "a credential is for another service account": (
        lambda b: b.change(CREDENTIAL, "scorer", put(subject="system:serviceaccount:framebrush:scorer")),
        bindings.test_every_service_account_has_its_credential,
    ),
    "KEDA has no credential": (
        lambda b: b.drop(CREDENTIAL, "keda"),
        bindings.test_every_service_account_has_its_credential,
    ),
    "a service signs in as another one": (
        lambda b: b.say("client-of-framebrush-scorer", "client-of-framebrush-splitter"),
        bindings.test_every_account_is_annotated_with_its_own_identity,
    ),
    "nobody tolerates the taint of the GPU nodes": (
        lambda b: b.change(POOL, "-t4", put(nodeTaints=["gpu=yes:NoSchedule"])),
        bindings.test_gpu_pods_fit_their_nodes_and_no_others,
    ),
    "a pool of nodes has another label than pods look for": (
        lambda b: b.change(POOL, "-t4", put(agentPoolName="t4b")),
        bindings.test_gpu_pods_fit_their_nodes_and_no_others,
    ),
    "a pool is made of spot nodes and the pods do not know": (
        lambda b: b.change(POOL, "-t4", put(scaleSetPriority="Spot")),
        bindings.test_gpu_pods_fit_their_nodes_and_no_others,
    ),
    "the device plugin does not run on a pool": (
        lambda b: b.change(POOL, "-t4spot", put(nodeTaints=["gpu=yes:NoSchedule"])),
        bindings.test_the_device_plugin_runs_on_every_gpu_node,
    ),
    "a pool is never empty": (
        lambda b: b.change(POOL, "-t4", put(minCount=1)),
        bindings.test_pools_are_empty_when_nothing_is_to_do,
    ),
    "a queue has another lock than the chart says": (
        lambda b: b.change("servicebus:Queue", "-batches", put(lockDuration="PT30S")),
        bindings.test_queues_are_those_of_the_chart_and_of_setup,
    ),
    "a queue takes messages twice": (
        lambda b: b.change("servicebus:Queue", "-batches", put(requiresDuplicateDetection=False)),
        bindings.test_queues_are_those_of_the_chart_and_of_setup,
    ),
    "a queue is missing": (
        lambda b: b.drop("servicebus:Queue", "-events"),
        bindings.test_queues_are_those_of_the_chart_and_of_setup,
    ),
    "a container has another name": (
        lambda b: b.change("storage:BlobContainer", "-work", put(containerName="works")),
        bindings.test_containers_are_those_of_the_chart,
    ),
    "a container is open to the world": (
        lambda b: b.change("storage:BlobContainer", "-output", put(publicAccess="Blob")),
        bindings.test_containers_are_those_of_the_chart,
    ),
    "styles lie among the films": (
        lambda b: b.change("storage:BlobContainer", "-styles", put(accountName=b.built.accounts["input"])),
        bindings.test_services_look_for_every_container_in_the_account_that_has_it,
    ),
    "the autoscaler ends pods before their message": (
        lambda b: b.change(CLUSTER, "framebrush", within("autoScalerProfile", maxGracefulTerminationSec="600")),
        bindings.test_a_pod_may_end_its_longest_message,
    ),
    "the wrong account tells of films": (
        lambda b: b.change("eventgrid:SystemTopic", "framebrush", put(source=OTHER)),
        bindings.test_only_the_account_of_films_tells_of_blobs,
    ),
    "films are announced to another queue": (
        lambda b: b.change(
            EVENTS, "framebrush", within("deliveryWithResourceIdentity.destination", resourceId="/id/of/Queue/x")
        ),
        bindings.test_films_that_are_dropped_reach_the_triggers_queue_and_outputs_do_not,
    ),
    "outputs start runs": (
        lambda b: b.change(EVENTS, "framebrush", within("filter", subjectBeginsWith="/blobServices/default/")),
        bindings.test_films_that_are_dropped_reach_the_triggers_queue_and_outputs_do_not,
    ),
    "the second account takes keys": (
        lambda b: b.change(ACCOUNT, "framebrushsystem", put(allowSharedKeyAccess=True)),
        bindings.test_nobody_comes_in_with_a_key,
    ),
    "Service Bus takes keys": (
        lambda b: b.change("servicebus:Namespace", "framebrush", put(disableLocalAuth=False)),
        bindings.test_nobody_comes_in_with_a_key,
    ),
    "an alert asks something else": (
        lambda b: b.change("alertsmanagement:PrometheusRuleGroup", "-queues", within("rules.0", expression="up")),
        bindings.test_alerts_are_those_of_the_chart,
    ),
    "the budget tells nobody": (
        lambda b: b.change("consumption:Budget", "framebrush", put(notifications={})),
        bindings.test_the_budget_tells_people,
    ),
    "logs are never deleted": (
        lambda b: b.change("storage:ManagementPolicy", "framebrush", lambda i: i["policy"]["rules"].pop()),
        bindings.test_what_lies_between_goes_away,
    ),
    "old films are deleted in place of old work": (
        lambda b: b.change("storage:ManagementPolicy", "framebrush", put(accountName=b.built.accounts["input"])),
        bindings.test_what_lies_between_goes_away,
    ),
    "a service may not what it does": (
        lambda b: b.drop(ROLE, "scorer-events-bus_sender"),
        lambda built: access.test_roles_cover_the_calls_and_no_more(built, "scorer"),
    ),
    "a service may more than it does": (
        a_role_too_many,
        lambda built: access.test_roles_cover_the_calls_and_no_more(built, "scorer"),
    ),
    "a role is on a whole account": (
        lambda b: b.change(ROLE, "scorer-styles-blob_reader", put(scope=OTHER)),
        access.test_no_data_role_is_wider_than_a_queue_or_a_container,
    ),
    "a stranger has a role": (
        lambda b: b.change(ROLE, "scorer-styles-blob_reader", put(principalId="stranger")),
        access.test_nobody_else_has_a_role,
    ),
}  # fmt: skip
IN_PRIVATE: dict[str, Callable[[Broken], object]] = {
    "the second account has no private endpoint": lambda b: b.drop("network:PrivateEndpoint", "films-system"),
    "an account is open to the internet": lambda b: b.change(
        ACCOUNT, "filmssystem", put(publicNetworkAccess="Enabled")
    ),
    "Event Grid cannot deliver": lambda b: b.change(
        "servicebus:NamespaceNetworkRuleSet", "films", put(trustedServiceAccessEnabled=False)
    ),
    "pods may not reach the endpoints": lambda b: b.say("10.224.16.0/24", "10.9.0.0/24"),
}  # fmt: skip


@pytest.fixture(scope="session")
def rendered(plain: Built, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    return bindings.manifests(plain, tmp_path_factory.mktemp("values"))


@pytest.mark.parametrize("case", CASES)
def test_it_is_seen(case: str, plain: Built, request: pytest.FixtureRequest) -> None:
    breaks, check = CASES[case]
    needed = "rendered" in inspect.signature(check).parameters
    more = {"rendered": request.getfixturevalue("rendered")} if needed else {}
    check(plain, **more)
    broken = Broken(plain)
    breaks(broken)
    with pytest.raises((AssertionError, KeyError)):
        check(broken.built, **more)


@pytest.mark.parametrize("case", IN_PRIVATE)
def test_it_is_seen_in_a_private_installation(case: str, private: Built, plain: Built) -> None:
    broken = Broken(private)
    IN_PRIVATE[case](broken)
    with pytest.raises((AssertionError, KeyError)):
        bindings.test_private_means_private(broken.built, plain)


def test_setup_makes_the_same_queues(plain: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    setup_with_a_longer_lock(monkeypatch)
    with pytest.raises(AssertionError):
        bindings.test_queues_are_those_of_the_chart_and_of_setup(plain)


def test_the_table_of_calls_is_what_services_do(film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: a call that the table lacks, and one that nobody makes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # or weights of an earlier test would be in the cache
    calls = record(film)
    scorer = CALLS["scorer"]
    access.test_the_table_says_what_services_call(calls, "scorer")
    for reads in (frozenset[str](), scorer.reads | {"input"}):
        monkeypatch.setitem(CALLS, "scorer", type(scorer)(scorer.receives, scorer.sends, reads, scorer.writes))
        with pytest.raises(AssertionError):
            access.test_the_table_says_what_services_call(calls, "scorer")


def test_every_binding_is_broken_once() -> None:
    guarded = {check for _, check in CASES.values()} | {bindings.test_private_means_private}
    tests = {
        test
        for name, test in inspect.getmembers(bindings, inspect.isfunction)
        if name.startswith("test_") and "built" in inspect.signature(test).parameters
    }
    assert tests <= guarded
