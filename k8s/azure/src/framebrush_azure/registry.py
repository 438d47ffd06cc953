"""The registry of images and of the chart."""

import pulumi
from pulumi_azure_native import containerregistry

from framebrush_azure.settings import Installation


class Registry:
    """A registry without an admin user. Nodes pull by their own identity."""

    def __init__(self, settings: Installation, group: pulumi.Input[str]) -> None:
        self.registry = containerregistry.Registry(
            settings.name,
            resource_group_name=group,
            sku=containerregistry.SkuArgs(name="Premium" if settings.private else "Standard"),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            public_network_access="Disabled" if settings.private else "Enabled",
            tags=settings.tags,
        )
