"""Managed Prometheus and Grafana, and the chart's alerts."""

import json
from typing import Any

import pulumi
from pulumi_azure_native import alertsmanagement, dashboard, monitor

from framebrush_azure.chart import CHART
from framebrush_azure.settings import Installation

STREAM = "Microsoft-PrometheusMetrics"


class Monitoring:
    """A workspace for metrics, into which the cluster's go."""

    def __init__(self, settings: Installation, group: pulumi.Input[str], cluster: pulumi.Input[str]) -> None:
        self._settings, self._group, self._cluster = settings, group, cluster
        self.workspace = monitor.AzureMonitorWorkspace(settings.name, resource_group_name=group, tags=settings.tags)
        self._collect()
        self.grafana = dashboard.Grafana(
            settings.name,
            resource_group_name=group,
            identity=dashboard.ManagedServiceIdentityArgs(type="SystemAssigned"),
            sku=dashboard.ResourceSkuArgs(name="Standard"),
            properties=dashboard.ManagedGrafanaPropertiesArgs(
                grafana_integrations=dashboard.GrafanaIntegrationsArgs(
                    azure_monitor_workspace_integrations=[
                        dashboard.AzureMonitorWorkspaceIntegrationArgs(
                            azure_monitor_workspace_resource_id=self.workspace.id
                        )
                    ]
                )
            ),
            tags=settings.tags,
        )
        self._alert()

    @property
    def reader(self) -> pulumi.Output[str]:
        """Return the object id of Grafana's identity."""
        found: pulumi.Output[str] = self.grafana.identity.apply(
            lambda identity: identity.principal_id if identity else ""
        )
        return found

    def _collect(self) -> None:
        name, group, tags = self._settings.name, self._group, self._settings.tags
        endpoint = monitor.DataCollectionEndpoint(name, resource_group_name=group, kind="Linux", tags=tags)
        rule = monitor.DataCollectionRule(
            name,
            resource_group_name=group,
            kind="Linux",
            data_collection_endpoint_id=endpoint.id,
            data_sources=monitor.DataCollectionRuleDataSourcesArgs(
                prometheus_forwarder=[monitor.PrometheusForwarderDataSourceArgs(name="prometheus", streams=[STREAM])]
            ),
            destinations=monitor.DataCollectionRuleDestinationsArgs(
                monitoring_accounts=[
                    monitor.MonitoringAccountDestinationArgs(name="workspace", account_resource_id=self.workspace.id)
                ]
            ),
            data_flows=[monitor.DataFlowArgs(streams=[STREAM], destinations=["workspace"])],
            tags=tags,
        )
        monitor.DataCollectionRuleAssociation(
            name, resource_uri=self._cluster, association_name=name, data_collection_rule_id=rule.id
        )

    def _alert(self) -> None:
        name, group = self._settings.name, self._group
        people = monitor.ActionGroup(
            name,
            resource_group_name=group,
            location="global",
            enabled=True,
            group_short_name=name[:12],
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(name=email, email_address=email, use_common_alert_schema=True)
                for email in self._settings.emails
            ],
            tags=self._settings.tags,
        )
        for each in groups():
            alertsmanagement.PrometheusRuleGroup(
                f"{name}-{each['name']}",
                resource_group_name=group,
                rule_group_name=each["name"],
                interval=each["properties"]["interval"],
                enabled=True,
                scopes=[self.workspace.id, self._cluster],
                rules=[self._rule(rule, people.id) for rule in each["properties"]["rules"]],
                tags=self._settings.tags,
            )

    def _rule(self, rule: dict[str, Any], people: pulumi.Input[str]) -> alertsmanagement.PrometheusRuleArgs:
        expression = rule["expression"]
        if "record" in rule:
            return alertsmanagement.PrometheusRuleArgs(record=rule["record"], expression=expression, enabled=True)
        # The template's link is an expression of ARM.
        annotations = {name: text for name, text in rule["annotations"].items() if name != "runbook"}
        if self._settings.runbook:
            annotations["runbook"] = f"{self._settings.runbook}#{rule['alert'].lower()}"
        return alertsmanagement.PrometheusRuleArgs(
            alert=rule["alert"],
            expression=expression,
            for_=rule["for"],
            severity=rule["severity"],
            labels=rule["labels"],
            annotations=annotations,
            enabled=True,
            resolve_configuration=alertsmanagement.PrometheusRuleResolveConfigurationArgs(
                auto_resolved=True, time_to_resolve=rule["resolveConfiguration"]["timeToResolve"]
            ),
            actions=[alertsmanagement.PrometheusRuleGroupActionArgs(action_group_id=people)],
        )


def groups() -> list[dict[str, Any]]:
    """Return the rule groups of the chart's template for Azure, which is made from its alerts."""
    found: list[dict[str, Any]] = json.loads((CHART / "alerts" / "azure.json").read_text("utf-8"))["resources"]
    return found
