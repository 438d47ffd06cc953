import subprocess
import sys

import pytest

from framebrush_cli.commands import models
from framebrush_cli.errors import CommandFailed


@pytest.mark.parametrize(
    ("command", "argument", "status", "option"), [("train", "--help", 0, "--painter"), ("quality", "-x", 2, "--out")]
)
def test_arguments_are_passed_on(command, argument, status, option):
    arguments = [sys.executable, "-m", "framebrush_cli", command, argument]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == status
    shown = done.stdout + done.stderr
    assert f"framebrush {command}" in shown
    assert option in shown


def test_a_missing_scorer_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(CommandFailed, match=r"`uv pip install './services/scorer\[training\]'`"):
        models.become("framebrush_scorer.training", [])
