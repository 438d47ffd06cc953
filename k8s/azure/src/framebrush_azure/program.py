"""Puts the parts together."""

from typing import Any

import pulumi
from pulumi_azure_native import authorization, resources

from framebrush_azure import names
from framebrush_azure.access import CALLS, PEOPLE, Calls, Role
from framebrush_azure.bus import Bus
from framebrush_azure.cluster import Cluster
from framebrush_azure.costs import budget
from framebrush_azure.events import Events
from framebrush_azure.identities import Identities
from framebrush_azure.monitoring import Monitoring
from framebrush_azure.network import Network
from framebrush_azure.registry import Registry
from framebrush_azure.settings import Installation
from framebrush_azure.storage import Storage
from framebrush_azure.values import chart_values


class Program:
    """All resources of an installation."""

    def __init__(self, settings: Installation) -> None:
        self._settings = settings
        client = authorization.get_client_config_output()
        group = resources.ResourceGroup(settings.name, location=settings.location, tags=settings.tags)
        self._identities = Identities(settings, group.name, client.subscription_id)
        network = Network(settings, group.name)
        self._bus, self._storage = Bus(settings, group.name), Storage(settings, group.name)
        registry = Registry(settings, group.name).registry
        own = self._identities.identity("cluster")
        joins = self._identities.allow("nodes", own.principal_id, Role.NETWORK_CONTRIBUTOR, network.nodes.id)
        self._cluster = Cluster(settings, group.name, network.nodes.id, own.id, [joins])
        self._identities.allow("pull", self._cluster.kubelet, Role.REGISTRY_PULL, registry.id)
        if settings.private:
            network.endpoint("blob", films=self._storage.films.id, system=self._storage.system.id)
            network.endpoint("namespace", namespace=self._bus.namespace.id)
            network.endpoint("registry", registry=registry.id)
        clients = self._sign_in()
        events = Events(settings, group.name, self._storage.films.id)
        events.deliver(self._bus.queues["triggers"].id, self._allow("events", events.principal, CALLS["events"]))
        monitoring = Monitoring(settings, group.name, self._cluster.cluster.id)
        self._identities.allow("grafana", monitoring.reader, Role.MONITORING_READER, monitoring.workspace.id)
        for number, person in enumerate(settings.grafana_admins):
            self._people(f"grafana-{number}", person, Role.GRAFANA_ADMIN, monitoring.grafana.id)
        for number, person in enumerate(settings.cluster_admins):
            self._people(f"admin-{number}", person, Role.CLUSTER_ADMIN, self._cluster.cluster.id)
        for kind, people in settings.people.items():
            for number, person in enumerate(people):
                self._allow(f"{kind}-{number}", person, PEOPLE[kind], kind=None)
        budget(settings, group.id)
        found = {
            "registry": registry.login_server,
            "bus": self._bus.namespace.name,
            "storage": self._storage.films.name,
            "system_storage": self._storage.system.name,
            "tenant": client.tenant_id,
        }
        self.outputs: dict[str, pulumi.Output[str]] = {
            **found,
            "values": pulumi.Output.all(clients=clients, **found).apply(self._values),
            "group": group.name,
            "cluster": self._cluster.cluster.name,
            "grafana": monitoring.grafana.name,
            "kedaClientId": clients["keda"],
            "namespace": pulumi.Output.from_input(settings.kubernetes_namespace),
            "release": pulumi.Output.from_input(settings.release),
        }
        """What is to know of it: names, and the chart's values."""

    def _values(self, found: dict[str, Any]) -> str:
        return chart_values(self._settings, **found)

    def _sign_in(self) -> dict[str, pulumi.Output[str]]:
        """Make the identities of all that sign in from the cluster; return their client ids."""
        clients = {}
        for who, subject in names.subjects(self._settings).items():
            identity = self._identities.identity(who)
            self._identities.federate(who, identity, self._cluster.issuer, subject)
            self._allow(who, identity.principal_id, CALLS[who])
            clients[who] = identity.client_id
        return clients

    def _allow(
        self, who: str, principal: pulumi.Input[str], calls: Calls, kind: str | None = "ServicePrincipal"
    ) -> list[pulumi.Resource]:
        """Give somebody the roles that cover what they call, on single containers and queues."""
        made: list[pulumi.Resource] = []
        for use, role in calls.container_roles.items():
            scope = self._storage.containers[use].id
            made.append(self._identities.allow(f"{who}-{use}-{role.name.lower()}", principal, role, scope, kind))
        for queue, role in calls.queue_roles:
            scope = self._bus.queues[queue].id
            made.append(self._identities.allow(f"{who}-{queue}-{role.name.lower()}", principal, role, scope, kind))
        if calls.delegates:  # Keys are the account's, and what they open is bounded by the person's roles.
            account = self._storage.films.id
            made.append(self._identities.allow(f"{who}-keys", principal, Role.BLOB_DELEGATOR, account, kind))
        if calls.manages:
            made.append(self._identities.allow(f"{who}-bus", principal, Role.BUS_OWNER, self._bus.namespace.id, kind))
        return made

    def _people(self, name: str, person: str, role: Role, scope: pulumi.Input[str]) -> None:
        self._identities.allow(name, person, role, scope, kind=None)
