"""The chart's values for an installation: what ``my-names.yaml`` says."""

from collections.abc import Mapping
from typing import Any

import yaml

from framebrush_azure import chart
from framebrush_azure.names import account
from framebrush_azure.network import ENDPOINTS
from framebrush_azure.settings import GpuPool, Installation

SHIPPED = ("t4", "t4spot")
"""The pools of values-aks.yaml that are on."""


def chart_values(
    settings: Installation,
    *,
    registry: str,
    bus: str,
    storage: str,
    system_storage: str,
    clients: Mapping[str, str],
    tenant: str,
) -> str:
    """Return the values as YAML.

    Args:
        settings: The installation.
        registry: The host of the registry.
        bus: The name of the Service Bus namespace.
        storage: The name of the storage account of films.
        system_storage: The name of the system's storage account.
        clients: The client id of each identity, by who signs in as it.
        tenant: The id of the tenant.
    """
    first = settings.gpu_pools[0]
    base = next((pool for pool in settings.gpu_pools if not pool.spot), first)
    services: dict[str, Any] = {
        name: {"serviceAccount": {"name": account(settings, name), "clientId": clients[name]}}
        for name in chart.SERVICES
    }
    off = {name: {"enabled": False} for name in SHIPPED if name not in {pool.name for pool in settings.gpu_pools}}
    services["scorer"]["pools"] = off | {pool.name: _pool(pool, base=pool is base) for pool in settings.gpu_pools}
    services["learner"] |= {"nodeSelector": {"agentpool": first.name}, "tolerations": _tolerations(first)}
    values: dict[str, Any] = {
        "image": {"registry": registry},
        "azure": {"serviceBusNamespace": bus, "storageAccount": storage, "systemStorageAccount": system_storage},
        "auth": {
            "workloadIdentity": {
                "clientId": clients["dispatcher"],  # of the test's pod; each service has its own
                "tenantId": tenant,
                "keda": {"identityId": clients["keda"], "tenantId": tenant},
            }
        },
        "setup": {
            "enabled": True,
            "serviceAccount": {"name": account(settings, "setup"), "clientId": clients["setup"]},
        },
        "test": {"serviceAccount": {"name": account(settings, "test"), "clientId": clients["test"]}},
        "services": services,
    }
    if settings.private:
        values["networkPolicy"] = {"egressCIDRs": [ENDPOINTS]}
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text


def _tolerations(pool: GpuPool) -> list[dict[str, str]]:
    taints = [chart.GPU_TAINT, *([chart.SPOT_TAINT] if pool.spot else [])]
    return [chart.toleration(taint) for taint in taints]


def _pool(pool: GpuPool, *, base: bool) -> dict[str, Any]:
    """Return a scorer's pool. All but the one that is the base wait until more work is there than that has in hand."""
    scaling: dict[str, Any] = {"maxReplicas": pool.max_nodes}
    if not base:
        scaling |= {"activationMessages": 12, "cooldownPeriod": 600}
    values: dict[str, Any] = {
        "enabled": True,
        "nodeSelector": {"agentpool": pool.name},
        "tolerations": _tolerations(pool),
        "concurrency": pool.concurrency,
        "scaling": scaling,
    }
    if pool.spot:
        values["drainGrace"] = 20  # An evicted node is gone after 30 s.
    return values
