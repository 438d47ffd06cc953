"""Pod security *restricted* in every pod, no key where none is needed, and no way out but to what is needed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from chart.cases import CASES
from chart.generate import CHART
from chart.rendered import CLIENT, STAGES, Manifests, render
from chart.security import violations

Pod = dict[str, Any]
RENDERED = [*CASES, "values-aks.yaml", "values-kind.yaml"]


def manifests(case: str) -> Manifests:
    return render(*CASES[case]) if case in CASES else render(case.removeprefix("values-").removesuffix(".yaml"))


@pytest.mark.parametrize("case", RENDERED)
def test_every_pod_is_restricted(case: str) -> None:
    pods = dict(manifests(case).pods())
    assert len(pods) >= 5
    for name, pod in pods.items():
        assert violations(pod) == [], name


@pytest.mark.parametrize("case", RENDERED)
def test_every_pod_is_as_small_as_it_can_be(case: str) -> None:
    for name, pod in manifests(case).pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["securityContext"]["runAsUser"] == 10001, name
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name
        writable = {mount["name"] for mount in spec["containers"][0]["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"tmp", "data", "more"}, name  # the last one is what a value adds


def container(**context: Any) -> Callable[[Pod], None]:
    return lambda pod: pod["spec"]["containers"][0]["securityContext"].update(context)


def whole(**context: Any) -> Callable[[Pod], None]:
    return lambda pod: pod["spec"]["securityContext"].update(context)


def spec(**fields: Any) -> Callable[[Pod], None]:
    return lambda pod: pod["spec"].update(fields)


def first(**fields: Any) -> Callable[[Pod], None]:
    return lambda pod: pod["spec"]["containers"][0].update(fields)


FORBIDDEN: dict[str, Callable[[Pod], None]] = {
    "hostNetwork": spec(hostNetwork=True),
    "hostPID": spec(hostPID=True),
    "hostPath": spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
    "nfs": spec(volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}]),
    "init container without a context": spec(initContainers=[{"name": "i"}]),
    "hostPort": first(ports=[{"containerPort": 1, "hostPort": 1}]),
    "probe of another host": first(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 1}}),
    "privileged": container(privileged=True),
    "escalation": container(allowPrivilegeEscalation=True),
    "capability added": container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    "capabilities kept": container(capabilities={}),
    "root": container(runAsUser=0),
    "root allowed": container(runAsNonRoot=False),
    "root in the pod": whole(runAsNonRoot=False),
    "uid 0 in the pod": whole(runAsUser=0),
    "seccomp": container(seccompProfile={"type": "Unconfined"}),
    "no seccomp": whole(seccompProfile=None),
    "AppArmor": container(appArmorProfile={"type": "Unconfined"}),
    "SELinux": container(seLinuxOptions={"user": "system_u"}),
    "procMount": container(procMount="Unmasked"),
    "sysctl": whole(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "Windows": whole(windowsOptions={"hostProcess": True}),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_check_sees_what_is_forbidden(name: str) -> None:
    pod = copy.deepcopy(render("aks").pod("framebrush-splitter"))
    assert violations(pod) == []
    FORBIDDEN[name](pod)
    assert violations(pod), pod


KEYS = ("AccountKey", "SharedAccessKey", "Endpoint=", "devstoreaccount1", "PRIVATE KEY", "connectionString")


@pytest.mark.parametrize("case", ["default", "everything", "values-aks.yaml"])
def test_workload_identity_needs_no_secret(case: str) -> None:
    found = manifests(case)
    assert found.of("Secret") == {}
    assert "secretKeyRef" not in found.text
    for word in (*KEYS, "secretTargetRef", "CONNECTION_STRING"):
        assert word not in found.text, word


def test_the_example_for_aks_has_no_secret() -> None:
    text = (CHART / "examples/aks.yaml").read_text()
    assert "kind: Secret" not in text
    assert not any(word in text for word in KEYS)


def test_an_existing_secret_is_named_and_not_copied() -> None:
    found = manifests("keys")
    assert found.of("Secret") == {}
    assert not any(word in found.text for word in KEYS)
    assert found.text.count("name: keys") == 2 * (len(STAGES) + 2) + 1  # two keys each, and KEDA's one


def test_workload_identity_is_asked_for() -> None:
    found = manifests("default")
    for name, pod in found.pods():
        assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true", name
        account = found.of("ServiceAccount")[pod["spec"]["serviceAccountName"]]
        assert account["metadata"]["annotations"]["azure.workload.identity/client-id"] == CLIENT
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("case", ["keys", "values-kind.yaml"])
def test_keys_come_without_workload_identity(case: str) -> None:
    assert "azure.workload.identity" not in manifests(case).text


# --- network policies


def ports(rules: list[dict[str, Any]]) -> set[int | str]:
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize("case", RENDERED)
def test_every_pod_has_one_network_policy_for_both_directions(case: str) -> None:
    found = manifests(case)
    policies = found.of("NetworkPolicy").values()
    for name, pod in found.pods():
        labels = pod["metadata"]["labels"].items()
        chosen = [each["spec"] for each in policies if each["spec"]["podSelector"]["matchLabels"].items() <= labels]
        assert len(chosen) == 1, name
        assert chosen[0]["policyTypes"] == ["Ingress", "Egress"], name


def test_services_reach_azure_and_nothing_else() -> None:
    policies = render("aks").of("NetworkPolicy")
    for stage in STAGES:
        policy = policies[f"framebrush-{stage}"]["spec"]
        assert ports(policy["ingress"]) == {"http"}
        assert ports(policy["egress"]) == {53, 443, 5671}
    assert ports(policies["framebrush-setup"]["spec"]["egress"]) == {53, 443}
    assert "ingress" not in policies["framebrush-setup"]["spec"]
    assert "ingress" not in policies["framebrush-test"]["spec"]


def test_addresses_of_azure_may_be_narrowed() -> None:
    rules = manifests("everything").of("NetworkPolicy")["framebrush-scorer"]["spec"]["egress"]
    assert [each["ipBlock"]["cidr"] for each in rules[1]["to"]] == ["10.0.0.0/16", "10.1.0.0/16"]
    assert [each["ipBlock"]["cidr"] for each in rules[2]["to"]] == ["0.0.0.0/0"], "or nobody could sign in"
    assert rules[2]["ports"] == [{"protocol": "TCP", "port": 443}]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://collector:4318", 4318), ("https://collector.example/otlp", 443), ("http://collector", 80)],
)
def test_services_reach_the_collector_of_traces(endpoint: str, port: int) -> None:
    for base, others in (("aks", {53, 443, 5671}), ("kind", {53, 5672, 10000})):
        policies = render(base, {"tracing.endpoint": endpoint}).of("NetworkPolicy")
        for stage in STAGES:
            assert ports(policies[f"framebrush-{stage}"]["spec"]["egress"]) == others | {port}
    setup = render("aks", {"tracing.endpoint": "http://collector:4318"}).of("NetworkPolicy")["framebrush-setup"]
    assert ports(setup["spec"]["egress"]) == {53, 443}


def test_the_collector_of_traces_may_be_narrowed() -> None:
    *_, rule = manifests("everything").of("NetworkPolicy")["framebrush-scorer"]["spec"]["egress"]
    assert ports([rule]) == {4318}
    (peer,) = rule["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


def test_the_local_stack_is_reached_by_services_keda_and_node_ports_only() -> None:
    found = manifests("passing storage")
    broker = found.of("NetworkPolicy")["framebrush-broker"]["spec"]
    assert "egress" not in broker
    assert ports(broker["ingress"]) == {"amqp", "https"}
    assert all(rule["from"] for rule in broker["ingress"])
    assert ports(manifests("values-kind.yaml").of("NetworkPolicy")["framebrush-broker"]["spec"]["ingress"]) == {
        "amqp",
        "https",
        "admin",
    }
    for stage in STAGES:
        rules = found.of("NetworkPolicy")[f"framebrush-{stage}"]["spec"]["egress"]
        assert ports(rules) == {53, 5672, 10000}
    assert ports(found.of("NetworkPolicy")["framebrush-setup"]["spec"]["egress"]) == {53, 5301, 10000}
    container_ports = {
        port["name"]: port["containerPort"] for port in found.pod("framebrush-broker")["spec"]["containers"][0]["ports"]
    }
    assert container_ports == {"amqp": 5672, "admin": 5300, "https": 5301}
