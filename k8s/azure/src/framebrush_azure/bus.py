"""Service Bus: the namespace and its queues."""

import pulumi
from pulumi_azure_native import servicebus

from framebrush_azure import chart
from framebrush_azure.settings import Installation


class Bus:
    """A namespace with the queues that the chart declares. Nobody gets in with a key."""

    def __init__(self, settings: Installation, group: pulumi.Input[str]) -> None:
        tier = "Premium" if settings.private else "Standard"  # Basic has no duplicate detection.
        self.namespace = servicebus.Namespace(
            settings.name,
            resource_group_name=group,
            sku=servicebus.SBSkuArgs(
                name=tier, tier=tier, capacity=settings.service_bus_units if settings.private else None
            ),
            disable_local_auth=True,
            minimum_tls_version="1.2",
            public_network_access="Disabled" if settings.private else "Enabled",
            tags=settings.tags,
        )
        if settings.private:
            servicebus.NamespaceNetworkRuleSet(
                settings.name,
                resource_group_name=group,
                namespace_name=self.namespace.name,
                default_action="Deny",
                public_network_access="Disabled",
                trusted_service_access_enabled=True,  # Event Grid comes from outside of the network.
            )
        self.queues = {
            name: servicebus.Queue(
                f"{settings.name}-{name}",
                resource_group_name=group,
                namespace_name=self.namespace.name,
                queue_name=name,
                lock_duration=f"PT{options['lockDuration']}S",
                max_delivery_count=options["maxDeliveryCount"],
                requires_duplicate_detection=True,
                duplicate_detection_history_time_window=f"PT{options['duplicateDetectionWindow']}S",
                dead_lettering_on_message_expiration=False,
                max_size_in_megabytes=1024,
            )
            for name, options in chart.queues().items()
        }
