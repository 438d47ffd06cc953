"""The network: nodes, private endpoints, and the names by which these are found."""

import pulumi
from pulumi_azure_native import network, privatedns

from framebrush_azure.settings import Installation

SPACE, NODES, ENDPOINTS = "10.224.0.0/16", "10.224.0.0/20", "10.224.16.0/24"
"""The addresses of the network, of nodes and of private endpoints. Pods have others, which only the cluster sees."""
ZONES = {
    "blob": "privatelink.blob.core.windows.net",
    "namespace": "privatelink.servicebus.windows.net",
    "registry": "privatelink.azurecr.io",
}
"""The DNS zone for each kind of endpoint."""


class Network:
    """A virtual network."""

    def __init__(self, settings: Installation, group: pulumi.Input[str]) -> None:
        self._settings, self._group = settings, group
        self._network = network.VirtualNetwork(
            settings.name,
            resource_group_name=group,
            address_space=network.AddressSpaceArgs(address_prefixes=[SPACE]),
            tags=settings.tags,
            opts=pulumi.ResourceOptions(ignore_changes=["subnets"]),  # They are resources of their own.
        )
        self.nodes = self._subnet("nodes", NODES)
        self._endpoints = self._subnet("endpoints", ENDPOINTS, after=self.nodes)

    def _subnet(self, name: str, prefix: str, after: pulumi.Resource | None = None) -> network.Subnet:
        return network.Subnet(
            f"{self._settings.name}-{name}",
            resource_group_name=self._group,
            virtual_network_name=self._network.name,
            subnet_name=name,
            address_prefix=prefix,
            # Azure changes one subnet of a network at a time.
            opts=pulumi.ResourceOptions(depends_on=[after] if after else None),
        )

    def endpoint(self, kind: str, **targets: pulumi.Input[str]) -> None:
        """Make private endpoints of resources of a kind, and the DNS zone that leads there.

        Args:
            kind: A key of :data:`ZONES`, which Azure calls the sub-resource.
            targets: The ids of the resources, by the names of their endpoints.
        """
        name, group = f"{self._settings.name}-{kind}", self._group
        zone = privatedns.PrivateZone(
            name, resource_group_name=group, private_zone_name=ZONES[kind], location="global", tags=self._settings.tags
        )
        privatedns.VirtualNetworkLink(
            name,
            resource_group_name=group,
            private_zone_name=zone.name,
            location="global",
            registration_enabled=False,
            virtual_network=privatedns.SubResourceArgs(id=self._network.id),
        )
        for use, target in targets.items():
            self._endpoint(f"{self._settings.name}-{use}", kind, target, zone)

    def _endpoint(self, name: str, kind: str, target: pulumi.Input[str], zone: privatedns.PrivateZone) -> None:
        group = self._group
        endpoint = network.PrivateEndpoint(
            name,
            resource_group_name=group,
            subnet=network.SubnetArgs(id=self._endpoints.id),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(name=name, private_link_service_id=target, group_ids=[kind])
            ],
            tags=self._settings.tags,
        )
        network.PrivateDnsZoneGroup(
            name,
            resource_group_name=group,
            private_endpoint_name=endpoint.name,
            private_dns_zone_configs=[network.PrivateDnsZoneConfigArgs(name=kind, private_dns_zone_id=zone.id)],
        )
