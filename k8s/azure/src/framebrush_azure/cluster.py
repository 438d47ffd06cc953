"""The cluster: its pools of nodes, of which those with GPUs are empty while nothing is to score."""

from typing import Any

import pulumi
from pulumi_azure_native import containerservice as aks

from framebrush_azure import chart
from framebrush_azure.settings import GpuPool, Installation

SLACK = 60
"""Seconds more than the longest message that the autoscaler gives a pod to end."""


class Cluster:
    """A cluster that signs pods in, scales by KEDA's add-on, and keeps to network policies."""

    def __init__(
        self,
        settings: Installation,
        group: pulumi.Input[str],
        subnet: pulumi.Input[str],
        identity: pulumi.Input[str],
        after: list[pulumi.Resource],
    ) -> None:
        self._settings, self._group, self._subnet = settings, group, subnet
        self.cluster = aks.ManagedCluster(
            settings.name,
            resource_group_name=group,
            dns_prefix=settings.name,
            kubernetes_version=settings.kubernetes_version,
            sku=aks.ManagedClusterSKUArgs(name="Base", tier="Standard"),
            identity=aks.ManagedClusterIdentityArgs(type="UserAssigned", user_assigned_identities=[identity]),
            aad_profile=aks.ManagedClusterAADProfileArgs(managed=True, enable_azure_rbac=True),
            enable_rbac=True,
            disable_local_accounts=True,
            api_server_access_profile=aks.ManagedClusterAPIServerAccessProfileArgs(
                enable_private_cluster=settings.private
            ),
            oidc_issuer_profile=aks.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=aks.ManagedClusterSecurityProfileArgs(
                workload_identity=aks.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True)
            ),
            workload_auto_scaler_profile=aks.ManagedClusterWorkloadAutoScalerProfileArgs(
                keda=aks.ManagedClusterWorkloadAutoScalerProfileKedaArgs(enabled=True)
            ),
            azure_monitor_profile=aks.ManagedClusterAzureMonitorProfileArgs(
                metrics=aks.ManagedClusterAzureMonitorProfileMetricsArgs(enabled=True)
            ),
            auto_scaler_profile=aks.ManagedClusterPropertiesAutoScalerProfileArgs(
                expander="least-waste",
                max_graceful_termination_sec=str(chart.longest_termination() + SLACK),
                scale_down_unneeded_time="5m",
            ),
            auto_upgrade_profile=aks.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel="patch", node_os_upgrade_channel="NodeImage"
            ),
            network_profile=aks.ContainerServiceNetworkProfileArgs(
                network_plugin="azure",
                network_plugin_mode="overlay",
                network_dataplane="cilium",
                network_policy="cilium",
                pod_cidr="10.244.0.0/16",
                service_cidr="10.0.0.0/16",
                dns_service_ip="10.0.0.10",
                load_balancer_sku="standard",
            ),
            agent_pool_profiles=[
                aks.ManagedClusterAgentPoolProfileArgs(
                    name="system",
                    mode="System",
                    vm_size=settings.system_vm_size,
                    node_taints=["CriticalAddonsOnly=true:NoSchedule"],
                    **self._scaled(1, 3),
                )
            ],
            tags=settings.tags,
            opts=pulumi.ResourceOptions(depends_on=after, ignore_changes=["agentPoolProfiles"]),
        )
        self._pool("cpu", settings.cpu_vm_size, settings.cpu_max_nodes)
        for pool in settings.gpu_pools:
            self._gpu_pool(pool)

    @property
    def issuer(self) -> pulumi.Output[str]:
        """Return the address of the issuer of service accounts' tokens."""
        profile = self.cluster.oidc_issuer_profile
        found: pulumi.Output[str] = profile.apply(lambda profile: profile.issuer_url if profile else "")
        return found

    @property
    def kubelet(self) -> pulumi.Output[str]:
        """Return the object id of the identity by which nodes pull images."""
        found: pulumi.Output[str] = self.cluster.identity_profile.apply(
            lambda identities: str(identities["kubeletidentity"].object_id) if identities else ""
        )
        return found

    def _scaled(self, least: int, most: int) -> dict[str, Any]:
        return {
            "count": least,
            "min_count": least,
            "max_count": most,
            "max_pods": 110,
            "enable_auto_scaling": True,
            "os_type": "Linux",
            "os_sku": "AzureLinux" if least else "Ubuntu",  # AKS' GPU drivers are tested on Ubuntu first.
            "vnet_subnet_id": self._subnet,
        }

    def _gpu_pool(self, pool: GpuPool) -> None:
        # AKS gives spot nodes their taint itself, and refuses a pool that names it.
        spot = {"scale_set_priority": "Spot", "scale_set_eviction_policy": "Delete", "spot_max_price": -1.0}
        self._pool(
            pool.name,
            pool.vm_size,
            pool.max_nodes,
            node_taints=[chart.GPU_TAINT],
            gpu_profile=aks.GPUProfileArgs(driver="Install"),
            **(spot if pool.spot else {}),
        )

    def _pool(self, name: str, vm_size: str, most: int, **options: Any) -> None:
        aks.AgentPool(
            f"{self._settings.name}-{name}",
            resource_group_name=self._group,
            resource_name_=self.cluster.name,
            agent_pool_name=name,
            mode="User",
            vm_size=vm_size,
            opts=pulumi.ResourceOptions(ignore_changes=["count"]),  # The autoscaler's.
            **self._scaled(0, most),
            **options,
        )
