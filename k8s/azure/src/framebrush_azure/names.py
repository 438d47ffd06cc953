"""The service accounts of a release, as the chart names them."""

from framebrush_azure.chart import SERVICES
from framebrush_azure.settings import Installation

KEDA = "system:serviceaccount:kube-system:keda-operator"
"""The subject of the add-on's operator."""


def fullname(settings: Installation) -> str:
    """Return what the chart's names begin with: the release's name, and the chart's if that does not say it."""
    return settings.release if "framebrush" in settings.release else f"{settings.release}-framebrush"


def account(settings: Installation, who: str) -> str:
    """Return the service account of a service, of the set-up Job or of the test."""
    return f"{fullname(settings)}-{who}"


def subjects(settings: Installation) -> dict[str, str]:
    """Return the subject of the federated credential of everybody who signs in from the cluster."""
    namespace = settings.kubernetes_namespace
    own = {who: f"system:serviceaccount:{namespace}:{account(settings, who)}" for who in (*SERVICES, "setup", "test")}
    return own | {"keda": KEDA}
