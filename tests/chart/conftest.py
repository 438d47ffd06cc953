"""The tools that look at the chart."""

import pytest
from support.tools import tool


@pytest.fixture(scope="session", autouse=True)
def helm_() -> str:
    """Every test here renders the chart."""
    return tool("helm")


@pytest.fixture(scope="session")
def kubeconform() -> str:
    return tool("kubeconform")
