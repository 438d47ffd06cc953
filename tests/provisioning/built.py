"""What the program would make in Azure, by Pulumi's mocks: no account, no command-line tool."""

from dataclasses import dataclass, field
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks

from framebrush_azure.program import Program
from framebrush_azure.settings import Installation, described

PERSON, GROUP = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
MEMBERS = {"submitter": PERSON, "painter": PERSON.replace("1", "3"), "operator": PERSON.replace("1", "4")}
"""Somebody of each kind of people."""
FILMS, SYSTEM = "films", "filmssystem"
"""The accounts of the private installation, whose name is films."""
MINIMUM: dict[str, Any] = {"emails": ["operator@contoso.com"]}
"""What a person must say."""
EVERYTHING: dict[str, Any] = MINIMUM | {
    "name": "films",
    "private": True,
    "runbook": "https://wiki.contoso.com/framebrush",
    "kubernetes-namespace": "films",
    "release": "prod",
    "gpu-pools": [
        {"name": "h100", "vm_size": "Standard_NC40ads_H100_v5", "spot": True, "max_nodes": 3, "concurrency": 38},
        {"name": "t4", "max_nodes": 2},
    ],
    "submitters": [MEMBERS["submitter"]],
    "painters": [MEMBERS["painter"]],
    "operators": [MEMBERS["operator"]],
    "grafana-admins": [GROUP],
    "cluster-admins": [GROUP],
}


@dataclass
class Built:
    """Resources by kind and by the name that the program gives them, with their inputs."""

    installation: Installation
    resources: list[mocks.MockResourceArgs] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the inputs of all resources of a kind, such as ``servicebus:Queue``."""
        return {
            each.name.removeprefix(f"{self.installation.name}-"): each.inputs
            for each in self.resources
            if each.typ == f"azure-native:{kind}"
        }

    @property
    def accounts(self) -> dict[str, str]:
        """Return the account of each container."""
        return {use: inputs["accountName"] for use, inputs in self.of("storage:BlobContainer").items()}

    @property
    def values(self) -> dict[str, Any]:
        """Return the chart's values that it prints."""
        found: dict[str, Any] = yaml.safe_load(self.exports["values"])
        return found


class _Mocks(mocks.Mocks):
    """Azure: every resource gets what the program asks of it."""

    def __init__(self, built: Built) -> None:
        self._built = built

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self._built.resources.append(args)
        kind, name = args.typ.rpartition(":")[2], args.name
        known: dict[str, Any] = {"name": name}
        if kind == "UserAssignedIdentity":
            known |= {"clientId": f"client-of-{name}", "principalId": f"principal-of-{name}"}
        elif kind == "ManagedCluster":
            known |= {
                "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example/"},
                "identity": {"type": "UserAssigned"},  # its answer has another form than its question
                "identityProfile": {"kubeletidentity": {"objectId": "principal-of-kubelet"}},
            }
        elif kind in ("SystemTopic", "Grafana"):
            known |= {"identity": {"type": "SystemAssigned", "principalId": f"principal-of-{kind}"}}
        elif kind == "Registry":
            known |= {"loginServer": f"{name}.azurecr.io"}
        return f"/id/of/{kind}/{name}", args.inputs | known

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        assert args.token == "azure-native:authorization:getClientConfig"
        return {"clientId": "c", "objectId": "o", "subscriptionId": "subscription", "tenantId": GROUP}


def build(**values: Any) -> Built:
    """Run the program."""
    found = Built(described(MINIMUM | values))
    pulumi.runtime.set_mocks(_Mocks(found), preview=False)

    @pulumi.runtime.test
    def run() -> "pulumi.Output[None]":
        outputs = Program(found.installation).outputs
        return pulumi.Output.all(**outputs).apply(found.exports.update)

    run()
    return found
