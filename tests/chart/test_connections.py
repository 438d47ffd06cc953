"""With an identity, with keys, with the local stack: services, KEDA and the set-up Job read the same thing."""

import base64

import pytest
from chart.cases import GIVEN, KEYS
from chart.rendered import CLIENT, Manifests, render
from cryptography import x509


def sources(found: Manifests, name: str) -> dict[str, tuple[str, str]]:
    """Where a pod's variables come from: secret and key."""
    environment = found.pod(name)["spec"]["containers"][0].get("env", [])
    refs = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in environment if "valueFrom" in each}
    return {variable: (ref["name"], ref["key"]) for variable, ref in refs.items()}


def keda(found: Manifests) -> dict[str, object]:
    [authentication] = found.of("TriggerAuthentication").values()
    for scaled in found.of("ScaledObject").values():
        for trigger in scaled["spec"]["triggers"]:
            assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    spec: dict[str, object] = authentication["spec"]
    return spec


def test_keyless() -> None:
    found = render()
    assert sources(found, "framebrush-splitter") == {}
    environment = found.environment("framebrush-splitter")
    assert environment["FRAMEBRUSH_SERVICEBUS_NAMESPACE"] == "contoso.servicebus.windows.net"
    assert environment["FRAMEBRUSH_STORAGE_ACCOUNT_URL"] == "https://contosoframes.blob.core.windows.net"
    assert keda(found) == {"podIdentity": {"provider": "azure-workload", "identityId": CLIENT}}
    for name in found.of("ScaledObject"):
        for metadata in found.triggers(name).values():
            assert (metadata["namespace"], metadata["cloud"]) == ("contoso", "AzurePublicCloud")


def test_what_is_the_systems_may_be_in_an_account_of_its_own() -> None:
    assert not any("SYSTEM_STORAGE" in name for name in render().environment("framebrush-splitter"))
    environment = render("", {"azure.systemStorageAccount": "contososystem"}).environment("framebrush-splitter")
    assert environment["FRAMEBRUSH_STORAGE_ACCOUNT_URL"] == "https://contosoframes.blob.core.windows.net"
    assert environment["FRAMEBRUSH_SYSTEM_STORAGE_ACCOUNT_URL"] == "https://contososystem.blob.core.windows.net"
    variable = "FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING"
    for values, expected in (
        (GIVEN | {"auth.connectionString.systemStorage": "T"}, ("framebrush-connections", "system-storage")),
        (KEYS | {"auth.connectionString.keys.systemStorage": "d"}, ("keys", "d")),
    ):
        found = render("", values | {"setup.enabled": True})
        assert (
            sources(found, "framebrush-splitter")[variable] == sources(found, "framebrush-test")[variable] == expected
        )
        [job] = found.of("Job")
        assert sources(found, job)[variable][1] == expected[1]
    [given] = {
        secret["stringData"]["system-storage"]
        for secret in render("", GIVEN | {"auth.connectionString.systemStorage": "T"}).of("Secret").values()
    }
    assert given == "T"
    assert "SYSTEM_STORAGE" not in render("kind", {"auth.connectionString.systemStorage": "T"}).text


def test_keda_may_have_another_identity() -> None:
    annotated = {"auth.workloadIdentity.keda": {"annotated": True, "identityId": ""}}
    assert keda(render("", annotated)) == {"podIdentity": {"provider": "azure-workload"}}
    found = render("", {"auth.workloadIdentity.keda": {"identityId": CLIENT, "tenantId": CLIENT}})
    expected = {"provider": "azure-workload", "identityId": CLIENT, "identityTenantId": CLIENT}
    assert keda(found) == {"podIdentity": expected}


@pytest.mark.parametrize(
    ("values", "bus", "storage"),
    [
        ({"azure.cloud": "AzureChinaCloud"}, "contoso.servicebus.chinacloudapi.cn", "https://contosoframes.blob.core.chinacloudapi.cn"),
        ({"azure.serviceBusNamespace": "c.example.net"}, "c.example.net", "https://contosoframes.blob.core.windows.net"),
        ({"azure.storageAccount": "https://c.example.net/"}, "contoso.servicebus.windows.net", "https://c.example.net"),
    ],
)  # fmt: skip
def test_other_addresses(values: dict[str, object], bus: str, storage: str) -> None:
    environment = render("", values).environment("framebrush-stitcher")
    assert environment["FRAMEBRUSH_SERVICEBUS_NAMESPACE"] == bus
    assert environment["FRAMEBRUSH_STORAGE_ACCOUNT_URL"] == storage


def check_keyed(found: Manifests, secret: str, setup: str, keys: tuple[str, str, str]) -> None:
    storage, bus, admin = keys
    for name in ("framebrush-splitter", "framebrush-scorer-default", "framebrush-test"):
        assert sources(found, name) == {
            "FRAMEBRUSH_STORAGE_CONNECTION_STRING": (secret, storage),
            "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": (secret, bus),
        }
    [job] = found.of("Job")
    assert sources(found, job)["FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING"] == (setup, admin)
    assert keda(found) == {"secretTargetRef": [{"parameter": "connection", "name": secret, "key": admin}]}
    assert "FRAMEBRUSH_SERVICEBUS_NAMESPACE" not in found.environment("framebrush-splitter")
    for metadata in found.triggers("framebrush-splitter").values():
        assert "namespace" not in metadata


def test_keys_of_an_existing_secret() -> None:
    names = {"storage": "a", "serviceBus": "b", "serviceBusAdmin": "c"}
    found = render("", KEYS | {"setup.enabled": True, "auth.connectionString.keys": names})
    check_keyed(found, "keys", "keys", ("a", "b", "c"))


def test_keys_in_values() -> None:
    found = render("", GIVEN | {"setup.enabled": True})
    # Before an install there is no Secret of the release yet: the hook has a copy, which goes when it is done.
    check_keyed(found, "framebrush-connections", "framebrush-setup", ("storage", "servicebus", "servicebus-admin"))
    for secret in found.of("Secret").values():
        assert secret["stringData"] == {"storage": "S", "servicebus": "B", "servicebus-admin": "B"}
    assert "helm.sh/hook" in found.of("Secret")["framebrush-setup"]["metadata"]["annotations"]
    assert "annotations" not in found.of("Secret")["framebrush-connections"]["metadata"]


def test_a_changed_key_restarts_the_pods() -> None:
    def checksum(values: dict[str, object]) -> str:
        annotations = render("", values).pod("framebrush-scorer-default")["metadata"]["annotations"]
        return str(annotations["checksum/connections"])

    assert checksum(GIVEN) == checksum(GIVEN | {"defaults.concurrency": 7})
    assert checksum(GIVEN) != checksum(GIVEN | {"auth.connectionString.storage": "T"})


def test_the_local_stack() -> None:
    found = render("kind")
    check_keyed(
        found, "framebrush-connections", "framebrush-connections", ("storage", "servicebus", "servicebus-admin")
    )
    data = found.of("Secret")["framebrush-connections"]["stringData"]
    host = "framebrush-broker.framebrush.svc.cluster.local"
    assert data["servicebus"].startswith(f"Endpoint=sb://{host}:5672;")
    assert data["servicebus"].endswith(";UseDevelopmentEmulator=true")  # with a capital T the SDK would mean TLS
    assert data["servicebus-admin"].startswith(f"Endpoint=sb://{host};")
    assert "http://framebrush-azurite.framebrush.svc.cluster.local:10000/devstoreaccount1;" in data["storage"]
    ports = {
        each["name"]: (each["port"], each["targetPort"])
        for each in found.of("Service")["framebrush-broker"]["spec"]["ports"]
    }
    assert ports == {"amqp": (5672, "amqp"), "admin": (5300, "admin"), "https": (443, "https")}


def test_the_local_stack_does_not_look_at_azure() -> None:
    keys = {"auth.mode": "connectionString", "auth.connectionString.existingSecret": "keys"}
    assert render("kind", keys | {"azure.storageAccount": "contoso"}).text.count("name: keys") == 0


def test_the_certificate_is_for_the_name_that_keda_asks() -> None:
    found = render("kind")
    secret = found.of("Secret")["framebrush-broker-tls"]["data"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["tls.crt"]))
    authority = x509.load_pem_x509_certificate(base64.b64decode(secret["ca.crt"]))
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "framebrush-broker.framebrush.svc.cluster.local" in names.get_values_for_type(x509.DNSName)
    maps = [
        each for each in found.all if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "framebrush-broker-ca"
    ]
    assert {each["metadata"]["namespace"] for each in maps} == {"framebrush", "keda"}
    assert {each["data"]["ca.crt"].strip() for each in maps} == {base64.b64decode(secret["ca.crt"]).decode().strip()}


def test_a_certificate_of_ones_own() -> None:
    found = render("kind", {"local.broker.tls.existingSecret": "mine"})
    assert "BEGIN CERTIFICATE" not in found.text
    assert "framebrush-broker-ca" not in found.text
    volumes = found.pod("framebrush-broker")["spec"]["volumes"] + found.pod("framebrush-setup-1")["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == ["mine", "mine"]


def test_data_of_the_local_stack_outlives_its_pods() -> None:
    found = render("kind")
    for name in ("framebrush-broker", "framebrush-azurite"):
        assert found.of("Deployment")[name]["spec"]["strategy"] == {"type": "Recreate"}
        volumes = {each["name"]: each for each in found.pod(name)["spec"]["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == name
        claim = found.of("PersistentVolumeClaim")[name]
        assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}  # and the release
    passing = render("kind", {"local.persistence.enabled": False})
    assert passing.of("PersistentVolumeClaim") == {}
    assert {"name": "data", "emptyDir": {}} in passing.pod("framebrush-broker")["spec"]["volumes"]


@pytest.mark.parametrize("counted", [True, False])
def test_the_broker_counts_locked_messages_or_not(counted: bool) -> None:
    found = render("kind", {"local.broker.countLocked": counted})
    arguments = found.pod("framebrush-broker")["spec"]["containers"][0]["args"]
    assert ("--count-locked" in arguments, "--no-count-locked" in arguments) == (counted, not counted)
