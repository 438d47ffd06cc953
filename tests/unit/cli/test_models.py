import subprocess
import sys

import pytest

from framebrush_cli import models
from framebrush_cli.errors import CommandFailed


@pytest.mark.parametrize(("command", "option"), [("train", "--painter"), ("quality", "--out")])
def test_arguments_are_passed_on(command, option):
    arguments = [sys.executable, "-m", "framebrush_cli", command]
    shown = subprocess.run([*arguments, "--help"], capture_output=True, text=True, check=True).stdout
    assert f"framebrush {command}" in shown
    assert option in shown
    refused = subprocess.run([*arguments, "--nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2


def test_a_missing_scorer_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(CommandFailed, match="pip install 'framebrush-scorer"):
        models.become("framebrush_scorer.training", [])
