"""Programs that some tests look at the chart with."""

import os
import shutil
from typing import NoReturn

import pytest

SOURCES = {
    "helm": "https://helm.sh",
    "kubeconform": "https://github.com/yannh/kubeconform",
    "prometheus": "in Debian's package prometheus",
    "promtool": "in Debian's package prometheus",
}


def tool(name: str) -> str:
    """Where a program is."""
    return shutil.which(name) or missing(f"{name} is missing: {SOURCES[name]}")


def missing(what: str) -> NoReturn:
    """A laptop that has not everything skips a test, CI fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
