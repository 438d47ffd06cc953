"""How the threads of a model wait for each other."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("variables", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_of_a_model_sleep_while_they_wait(variables: dict[str, str], policy: str) -> None:
    """Unless somebody says otherwise. It is OpenMP itself that tells, once torch has loaded it."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    loaded = subprocess.run(
        [sys.executable, "-c", "from framebrush_scorer.models import load; load('identity')"],
        env={**environment, **variables, "OMP_DISPLAY_ENV": "TRUE"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"OMP_WAIT_POLICY = '{policy}'" in loaded.stderr
