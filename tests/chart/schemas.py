"""JSON schemas for kubeconform, kept in ``schemas/``, so that a check needs no internet.

    uv run --no-project --with pyyaml --with kubernetes-validate==1.37.0 tests/chart/schemas.py keda-2.21.0.yaml

KEDA's are made of the custom resource definitions in its release manifest, which ``KEDA_MANIFEST`` names or
https://github.com/kedacore/keda/releases has. Kubernetes' are those of the kinds that the chart makes, from its OpenAPI
as the package kubernetes-validate carries it. The PodMonitor's is our own. Unknown
fields are refused, and what is only prose is left out.
"""

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = "1.34.0"
"""Version whose API the chart is checked against."""
NATIVE = (
    "configmap-v1", "deployment-apps-v1", "job-batch-v1", "networkpolicy-networking-v1", "persistentvolumeclaim-v1",
    "pod-v1", "poddisruptionbudget-policy-v1", "secret-v1", "service-v1", "serviceaccount-v1",
)  # fmt: skip
KEDA = {"ScaledObject", "TriggerAuthentication"}
TEXT, LABELS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    """A schema of an object that has these properties and no others."""
    needed = {"required": [*required]} if required else {}  # an empty list is none for kubeconform
    return {"type": "object", "properties": properties, "additionalProperties": False} | needed


POD_MONITOR = closed(
    "apiVersion", "kind", "metadata", "spec",
    apiVersion={"enum": ["monitoring.coreos.com/v1", "azmonitoring.coreos.com/v1"]},
    kind={"enum": ["PodMonitor"]},
    metadata={"type": "object"},
    spec=closed(
        "selector", "podMetricsEndpoints",
        jobLabel=TEXT,
        namespaceSelector=closed(matchNames={"type": "array", "items": TEXT}, any={"type": "boolean"}),
        selector=closed(matchLabels=LABELS),
        podMetricsEndpoints={"type": "array", "items": closed(
            port=TEXT, targetPort={"type": ["string", "integer"]}, path=TEXT,
            interval={"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
            relabelings={"type": "array", "items": closed(
                sourceLabels={"type": "array", "items": TEXT}, targetLabel=TEXT,
                regex=TEXT, replacement=TEXT, action=TEXT,
            )},
        )},
    ),
)  # fmt: skip
"""The part of a PodMonitor that the chart uses, written from the Prometheus Operator's API reference. Azure's is the
same but for its group."""


def keda_schemas(manifest: str) -> dict[str, Any]:
    """Schemas of KEDA's resources, by file name."""
    found = {}
    for document in yaml.safe_load_all(manifest):
        if not document or document["kind"] != "CustomResourceDefinition":
            continue
        kind = document["spec"]["names"]["kind"]
        for version in document["spec"]["versions"] if kind in KEDA else ():
            node = strict(version["schema"]["openAPIV3Schema"])
            node["properties"]["metadata"] = {"type": "object"}
            found[f"{kind.lower()}_{version['name']}.json"] = node
    return found


def strict(node: Any) -> Any:
    """What a custom resource definition says, with unknown fields refused as by the API server's strict validation."""
    if isinstance(node, list):
        return [strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    found = {
        key: {name: strict(each) for name, each in value.items()} if key == "properties" else strict(value)
        for key, value in node.items()
        if key != "description" and not key.startswith("x-")
    }
    if "properties" in found and not node.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def native_schemas(folder: Path) -> dict[str, Any]:
    """Schemas of Kubernetes' kinds, by file name, each with the definitions that it needs."""
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    found = {}
    for name in NATIVE:
        schema = bare(json.loads((folder / f"{name}.json").read_text()))
        needed: dict[str, Any] = {}
        queue = list(references(schema))
        while queue:
            if (each := queue.pop()) not in needed:
                needed[each] = bare(definitions[each])
                queue += references(needed[each])
        found[f"{name}.json"] = {**schema, "$defs": needed}
    return found


def bare(node: Any) -> Any:
    """A schema without prose and addresses; what it refers to is looked for in the same file."""
    if isinstance(node, list):
        return [bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        if key == "properties":
            found[key] = {name: bare(each) for name, each in value.items()}
        elif key == "$ref":
            found[key] = f"#/$defs/{value.rpartition('/')[2]}"
        elif key not in ("$schema", "$id") and not key.startswith("x-") and key != "description":
            found[key] = bare(value)
    return found


def references(node: Any) -> Iterator[str]:
    """Names of the definitions that a schema refers to."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == "$ref":
            yield value.rpartition("/")[2]
        else:
            yield from references(value)


def text(schema: Any) -> str:
    """A schema as it is kept."""
    return json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n"


def main(manifest: str) -> None:
    """Write all of them."""
    package = find_spec("kubernetes_validate")
    assert package and package.origin, "install kubernetes-validate"
    folder = Path(package.origin).parent / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
    SCHEMAS.mkdir(exist_ok=True)
    own = {"podmonitor_v1.json": POD_MONITOR}
    for name, schema in (native_schemas(folder) | keda_schemas(Path(manifest).read_text()) | own).items():
        (SCHEMAS / name).write_text(text(schema))


if __name__ == "__main__":
    main(*sys.argv[1:])
