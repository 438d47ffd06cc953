"""The storage accounts, their containers, and how long what is in them stays."""

import pulumi
from pulumi_azure_native import storage

from framebrush_azure import chart
from framebrush_azure.settings import Installation

FILMS = frozenset({"input", "output"})
"""What is in the account of films, in which callers have rights. All else is in the system's."""


class Storage:
    """Two accounts without keys. Whoever comes has a role on single containers."""

    def __init__(self, settings: Installation, group: pulumi.Input[str]) -> None:
        self._settings, self._group = settings, group
        self.films, self.system = self._account(settings.name), self._account(f"{settings.name[:10]}system")
        self.containers = {
            use: storage.BlobContainer(
                f"{settings.name}-{use}",
                resource_group_name=group,
                account_name=(self.films if use in FILMS else self.system).name,
                container_name=name,
                public_access="None",
            )
            for use, name in chart.containers().items()
        }
        names = chart.containers()
        ends = {f"{names['work']}/runs/": settings.keep_work_days, f"{names['logs']}/": settings.keep_logs_days}
        storage.ManagementPolicy(
            settings.name,
            resource_group_name=group,
            account_name=self.system.name,
            management_policy_name="default",
            policy=storage.ManagementPolicySchemaArgs(
                rules=[_deleted(prefix, days) for prefix, days in ends.items()],
            ),
        )

    def _account(self, name: str) -> storage.StorageAccount:
        settings = self._settings
        return storage.StorageAccount(
            name,  # to which Pulumi adds eight digits, and Azure takes 24 characters
            resource_group_name=self._group,
            kind="StorageV2",
            sku=storage.SkuArgs(name="Standard_ZRS"),
            access_tier="Hot",
            allow_shared_key_access=False,
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version="TLS1_2",
            is_hns_enabled=False,  # With it a blob's creation is announced before it has content.
            public_network_access="Disabled" if settings.private else "Enabled",
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action="Deny" if settings.private else "Allow", bypass="AzureServices"
            ),
            tags=settings.tags,
        )


def _deleted(prefix: str, days: int) -> storage.ManagementPolicyRuleArgs:
    """Return the rule that deletes blobs so many days after they were written last."""
    return storage.ManagementPolicyRuleArgs(
        name=prefix.strip("/").replace("/", "-"),
        enabled=True,
        type="Lifecycle",
        definition=storage.ManagementPolicyDefinitionArgs(
            filters=storage.ManagementPolicyFilterArgs(blob_types=["blockBlob", "appendBlob"], prefix_match=[prefix]),
            actions=storage.ManagementPolicyActionArgs(
                base_blob=storage.ManagementPolicyBaseBlobArgs(
                    delete=storage.DateAfterModificationArgs(days_after_modification_greater_than=days)
                )
            ),
        ),
    )
