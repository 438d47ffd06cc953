"""What a person says about an installation; all else follows."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Guid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
PoolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,11}$")]
"""AKS takes no other names of Linux pools."""
RETIRED = ("Standard_NC6s_v3", "Standard_NC12s_v3", "Standard_NC24s_v3", "Standard_NC24rs_v3")
"""NCv3, the sizes with a V100, which Azure retired on 30 September 2025."""
GRID = ("Standard_NV",)
"""What the names of sizes begin with whose cards need the GRID driver. It is older than PyPI's torch wheels ask for."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GpuPool(_Model):
    """A pool of GPU nodes, which has none while nothing is to score."""

    name: PoolName
    """The name of the node pool, and of the scorer's pool in the chart."""
    vm_size: str = "Standard_NC4as_T4_v3"
    """The size of its machines."""
    spot: bool = False
    """Whether it has spot machines: at a fraction of the price, and gone 30 seconds after a notice."""
    max_nodes: Annotated[int, Field(ge=1, le=1000)] = 1
    """The machines that it has at most. There is one scorer on each."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 6
    """The messages that a scorer handles at a time: two more than the cores beside the GPU."""

    @model_validator(mode="after")
    def _has_a_driver(self) -> "GpuPool":
        if self.vm_size in RETIRED:
            raise ValueError(f"{self.vm_size} was retired by Azure; take Standard_NC4as_T4_v3 or a newer size")
        if self.vm_size.startswith(GRID):
            raise ValueError(f"{self.vm_size} has a GRID driver, which is older than torch's wheels ask for")
        return self


class Installation(_Model):
    """An installation. Every field but the emails has a default."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{2,15}$")] = "framebrush"
    """What the names of all resources begin with."""
    location: str = "westeurope"
    """The region. The sizes of the GPU pools must be on offer there, and the subscription must have quota for them."""
    private: bool = False
    """Whether storage, Service Bus, registry and the API server are reached through private endpoints only. Then
    Service Bus and the registry are Premium, and whoever submits needs a way into the network."""
    kubernetes_version: str | None = None
    """The version of Kubernetes, AKS' default if it is not said. KEDA's add-on comes with it: 1.35 has KEDA 2.17."""
    kubernetes_namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = "framebrush"
    """The namespace of the release, which the federated credentials name."""
    release: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$")] = "framebrush"
    """The name of the Helm release, from which the names of service accounts follow."""
    system_vm_size: str = "Standard_D4as_v5"
    """The size of the machines of the system pool, which is never empty: KEDA and DNS are on it."""
    cpu_vm_size: str = "Standard_D8ads_v5"
    """The size of the machines of splitters, dispatchers and stitchers. It should have a local disk."""
    cpu_max_nodes: Annotated[int, Field(ge=1, le=1000)] = 12
    """The machines of that pool at most; at least there is none."""
    gpu_pools: tuple[GpuPool, ...] = (GpuPool(name="t4"), GpuPool(name="t4spot", spot=True, max_nodes=8))
    """The pools of GPU nodes. The first one has the learner, too."""
    submitters: tuple[Guid, ...] = ()
    """Object ids of people or groups that may submit films and get outputs, and see nothing else."""
    painters: tuple[Guid, ...] = ()
    """Object ids of people or groups that may add styles, pictures to paint like, and have styles learned."""
    operators: tuple[Guid, ...] = ()
    """Object ids of people or groups that may look at all runs, cancel and share them, and replay dead letters. They
    may do what submitters and painters may, too."""
    grafana_admins: tuple[Guid, ...] = ()
    """Object ids of people or groups that may change dashboards."""
    cluster_admins: tuple[Guid, ...] = ()
    """Object ids of Entra groups that may administer the cluster. Local accounts are off."""
    keep_work_days: Annotated[int, Field(ge=1)] = 30
    """The days after which what lies between input and output is deleted, whatever became of its run."""
    keep_logs_days: Annotated[int, Field(ge=1)] = 90
    """The days after which logs of runs are deleted."""
    monthly_budget: Annotated[float, Field(gt=0)] = 500
    """The amount, in the subscription's currency, at whose 80 and 100 % people get a mail. It stops nothing."""
    budget_start: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-01$")] = "2027-01-01"
    """The first day of the month in which the budget begins; Azure takes no day in the past."""
    emails: Annotated[tuple[str, ...], Field(min_length=1)]
    """Who gets alerts and mails about the budget."""
    runbook: Annotated[str, Field(pattern=r"^https?://[^ ]+$")] | None = None
    """The address of docs/runbook.md as the people reach it who get alerts; without it alerts have no link."""
    service_bus_units: Literal[1, 2, 4, 8, 16] = 1
    """The messaging units of a private installation's Service Bus, each of some 4 MB/s."""

    @model_validator(mode="after")
    def _pools_have_names_of_their_own(self) -> "Installation":
        names = [pool.name for pool in self.gpu_pools]
        if not names or len({*names, "system", "cpu"}) < len(names) + 2:
            raise ValueError("gpu_pools: there must be one at least, with a name of its own, not system or cpu")
        return self

    @property
    def people(self) -> dict[str, tuple[str, ...]]:
        """Return who of the people may what, by the names of :data:`framebrush_azure.access.PEOPLE`."""
        return {"submitter": self.submitters, "painter": self.painters, "operator": self.operators}

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of all resources."""
        return {"application": self.name}


def described(values: dict[str, Any]) -> Installation:
    """Return an installation as Pulumi's configuration has it: names with hyphens or underscores.

    Raises:
        pydantic.ValidationError: A value is missing, malformed or unknown.
    """
    return Installation.model_validate({key.replace("-", "_"): value for key, value in values.items()})
