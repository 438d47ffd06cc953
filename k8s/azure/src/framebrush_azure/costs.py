"""The budget, which tells people and stops nothing."""

import pulumi
from pulumi_azure_native import consumption

from framebrush_azure.settings import Installation


def budget(settings: Installation, group: pulumi.Input[str]) -> None:
    """Make the budget of the resource group: a mail at 80 % spent, and when all of it is forecast to be spent.

    Args:
        settings: The installation.
        group: The id of the resource group.
    """
    kinds = {"spent": (80, "Actual"), "forecast": (100, "Forecasted")}
    consumption.Budget(
        settings.name,
        budget_name=settings.name,
        scope=group,
        amount=settings.monthly_budget,
        category="Cost",
        time_grain="Monthly",
        time_period=consumption.BudgetTimePeriodArgs(start_date=f"{settings.budget_start}T00:00:00Z"),
        notifications={
            name: consumption.NotificationArgs(
                enabled=True,
                operator="GreaterThanOrEqualTo",
                threshold=threshold,
                threshold_type=kind,
                contact_emails=[*settings.emails],
            )
            for name, (threshold, kind) in kinds.items()
        },
    )
