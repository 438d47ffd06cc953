"""What the program makes, as an ARM template: the form in which checkov knows Azure's resources."""

import json
from typing import Any

from provisioning.built import Built

TYPES = {
    "storage:StorageAccount": "Microsoft.Storage/storageAccounts",
    "storage:BlobContainer": "Microsoft.Storage/storageAccounts/blobServices/containers",
    "containerservice:ManagedCluster": "Microsoft.ContainerService/managedClusters",
    "containerservice:AgentPool": "Microsoft.ContainerService/managedClusters/agentPools",
    "containerregistry:Registry": "Microsoft.ContainerRegistry/registries",
    "servicebus:Namespace": "Microsoft.ServiceBus/namespaces",
    "network:VirtualNetwork": "Microsoft.Network/virtualNetworks",
    "eventgrid:SystemTopic": "Microsoft.EventGrid/systemTopics",
}
"""The types that rules of checkov may be about. It has none for identities, roles, endpoints and alerts."""
OUTSIDE = {"sku", "kind", "identity", "tags", "location"}
"""What stands beside the properties of a resource. In Pulumi both are arguments."""
RENAMED = {"enableHttpsTrafficOnly": "supportsHttpsTrafficOnly", "networkRuleSet": "networkAcls"}
"""The properties of ARM to which Pulumi gives other names."""
NAMES = {"resourceGroupName", "accountName", "containerName", "resourceName", "agentPoolName", "namespaceName"}


def template(built: Built) -> str:
    """The resources of an installation."""
    resources = [
        {
            "type": TYPES[kind],
            "apiVersion": "2025-01-01",
            "name": each.name,
            **{key: value for key, value in each.inputs.items() if key in OUTSIDE},
            "properties": _properties(each.inputs),
        }
        for each in built.resources
        if (kind := each.typ.removeprefix("azure-native:")) in TYPES
    ]
    return json.dumps(
        {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "resources": resources,
        },
        indent=1,
    )


def _properties(inputs: dict[str, Any]) -> dict[str, Any]:
    """The properties, under the names that ARM has for those that Pulumi renames."""
    return {RENAMED.get(key, key): value for key, value in inputs.items() if key not in OUTSIDE | NAMES}
