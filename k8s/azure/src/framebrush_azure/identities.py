"""Managed identities, how pods sign in as them, and what they may do."""

import pulumi
from pulumi_azure_native import authorization, managedidentity

from framebrush_azure.access import Role
from framebrush_azure.settings import Installation

AUDIENCE = "api://AzureADTokenExchange"


class Identities:
    """Makes identities and gives them roles."""

    def __init__(self, settings: Installation, group: pulumi.Input[str], subscription: pulumi.Input[str]) -> None:
        self._settings, self._group, self._subscription = settings, group, subscription

    def identity(self, who: str) -> managedidentity.UserAssignedIdentity:
        """Make an identity."""
        return managedidentity.UserAssignedIdentity(
            f"{self._settings.name}-{who}", resource_group_name=self._group, tags=self._settings.tags
        )

    def federate(
        self, who: str, identity: managedidentity.UserAssignedIdentity, issuer: pulumi.Input[str], subject: str
    ) -> None:
        """Let a service account of the cluster sign in as an identity."""
        managedidentity.FederatedIdentityCredential(
            f"{self._settings.name}-{who}",
            resource_group_name=self._group,
            resource_name_=identity.name,
            federated_identity_credential_resource_name=who,
            issuer=issuer,
            subject=subject,
            audiences=[AUDIENCE],
        )

    def allow(
        self,
        name: str,
        principal: pulumi.Input[str],
        role: Role,
        scope: pulumi.Input[str],
        kind: str | None = "ServicePrincipal",
    ) -> authorization.RoleAssignment:
        """Give somebody a role.

        Args:
            name: What the assignment is called in the program.
            principal: The object id of who gets it.
            role: The role.
            scope: The id of the resource that it is about.
            kind: What the principal is. If it is None Azure looks it up, and does not find what was made a moment ago.
        """
        definition = pulumi.Output.from_input(self._subscription).apply(
            lambda subscription: (
                f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role.value}"
            )
        )
        return authorization.RoleAssignment(
            f"{self._settings.name}-{name}",
            principal_id=principal,
            principal_type=kind,
            role_definition_id=definition,
            scope=scope,
            description=f"framebrush: {role.title}",
        )
