"""Event Grid: a film that is dropped into the input container starts a run."""

import pulumi
from pulumi_azure_native import eventgrid

from framebrush_azure import chart
from framebrush_azure.settings import Installation


class Events:
    """A system topic of the storage account. It delivers as an identity of its own."""

    def __init__(self, settings: Installation, group: pulumi.Input[str], account: pulumi.Input[str]) -> None:
        self._settings, self._group = settings, group
        self._topic = eventgrid.SystemTopic(
            settings.name,
            resource_group_name=group,
            source=account,
            topic_type="Microsoft.Storage.StorageAccounts",
            identity=eventgrid.IdentityInfoArgs(type="SystemAssigned"),
            tags=settings.tags,
        )

    @property
    def principal(self) -> pulumi.Output[str]:
        """Return the object id of the topic's identity."""
        found: pulumi.Output[str] = self._topic.identity.apply(
            lambda identity: identity.principal_id if identity else ""
        )
        return found

    def deliver(self, queue: pulumi.Input[str], after: list[pulumi.Resource]) -> None:
        """Let it send to a queue.

        Args:
            queue: The queue's id.
            after: What must exist before: Azure tries out whether the topic may send.
        """
        container = chart.containers()["input"]
        eventgrid.SystemTopicEventSubscription(
            self._settings.name,
            resource_group_name=self._group,
            system_topic_name=self._topic.name,
            event_subscription_name="films",
            event_delivery_schema="CloudEventSchemaV1_0",
            delivery_with_resource_identity=eventgrid.DeliveryWithResourceIdentityArgs(
                identity=eventgrid.EventSubscriptionIdentityArgs(type="SystemAssigned"),
                destination=eventgrid.ServiceBusQueueEventSubscriptionDestinationArgs(
                    endpoint_type="ServiceBusQueue", resource_id=queue
                ),
            ),
            filter=eventgrid.EventSubscriptionFilterArgs(
                included_event_types=["Microsoft.Storage.BlobCreated"],
                # Or outputs would start runs.
                subject_begins_with=f"/blobServices/default/containers/{container}/blobs/",
            ),
            retry_policy=eventgrid.RetryPolicyArgs(max_delivery_attempts=30, event_time_to_live_in_minutes=1440),
            opts=pulumi.ResourceOptions(depends_on=after),
        )
