"""The chart's alerts as Azure's rule groups: managed Prometheus reads no PrometheusRule.

https://learn.microsoft.com/azure/templates/microsoft.alertsmanagement/prometheusrulegroups
"""

import json
from typing import Any

import yaml

SEVERITY = {"critical": 0, "warning": 2}
"""Azure's numbers for our words."""
ACTIONS = (
    "[if(empty(parameters('actionGroup')), createArray(), createArray(createObject('actionGroupId', "
    "parameters('actionGroup'))))]"
)
PARAMETERS = {
    "workspace": "Resource id of the Azure Monitor workspace that has the metrics.",
    "cluster": "Resource id of the AKS cluster whose metrics are looked at.",
    "runbook": "Address of the runbook, to which the alerts link.",
    "actionGroup": "Resource id of the action group that tells people; empty for none.",
}
DEFAULTS = {"actionGroup": {"defaultValue": ""}}


def template(rules: str) -> str:
    """An ARM template with a rule group for each group of rules.

    Args:
        rules: The text of ``alerts/rules.yaml``.
    """
    groups = yaml.safe_load(rules)["groups"]
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            name: {"type": "string", "metadata": {"description": text}} | DEFAULTS.get(name, {})
            for name, text in PARAMETERS.items()
        },
        "resources": [_group(group) for group in groups],
    }
    return json.dumps(document, indent=2) + "\n"


def _group(group: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Microsoft.AlertsManagement/prometheusRuleGroups",
        "apiVersion": "2023-03-01",
        "name": group["name"].replace(".", "-"),
        "location": "[resourceGroup().location]",
        "properties": {
            "scopes": ["[parameters('workspace')]", "[parameters('cluster')]"],
            "enabled": True,
            "interval": "PT1M",
            "rules": [_rule(rule) for rule in group["rules"]],
        },
    }


def _link(runbook: str) -> str:
    return f"[concat(parameters('runbook'), '#{runbook.partition('#')[2]}')]"


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    expression = {"expression": rule["expr"].strip(), "enabled": True}
    if "record" in rule:
        return {"record": rule["record"]} | expression
    return {
        "alert": rule["alert"],
        **expression,
        "for": f"PT{rule.get('for', '0s').upper()}",
        "severity": SEVERITY[rule["labels"]["severity"]],
        "labels": rule["labels"],
        "annotations": rule["annotations"] | {"runbook": _link(rule["annotations"]["runbook"])},
        "resolveConfiguration": {"autoResolved": True, "timeToResolve": "PT10M"},
        "actions": ACTIONS,
    }
