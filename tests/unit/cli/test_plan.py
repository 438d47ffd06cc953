from pathlib import Path

import pytest

from framebrush.contracts import QUEUES
from framebrush_broker.options import read_queues
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import QUEUES_FILE, Home, azurite, plan_stack


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(azurite, "SCRIPT", Path(__file__))
    return Home(tmp_path)


def test_every_part_has_its_own_port(home: Home) -> None:
    parts = plan_stack(home, 2).parts
    assert [part.name for part in parts] == [
        "azurite", "broker", "splitter", "dispatcher", "scorer-1", "scorer-2", "stitcher", "learner",
    ]  # fmt: skip
    assert len({part.probe.split("/")[2] for part in parts}) == len(parts)
    assert parts[-1].command[1:] == ("-P", "-m", "framebrush_scorer.learning")
    scorer = parts[4]
    assert scorer.command[1:] == ("-P", "-m", "framebrush_scorer")
    assert scorer.probe == f"http://127.0.0.1:{scorer.environment['FRAMEBRUSH_HTTP_PORT']}/readyz"


def test_the_callers_settings_hold_but_for_those_that_lead_elsewhere(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEBRUSH_DEFAULT_MODEL", "mosaic")
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL", "https://a.blob.core.windows.net")
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_CONNECTION_STRING", "of the cloud")
    monkeypatch.setenv("FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING", "of the cloud")
    environment = plan_stack(home, 1).environment
    assert environment["FRAMEBRUSH_DEFAULT_MODEL"] == "mosaic"
    assert "FRAMEBRUSH_STORAGE_ACCOUNT_URL" not in environment
    assert not any("SYSTEM_STORAGE" in name for name in environment)
    assert "127.0.0.1" in environment["FRAMEBRUSH_STORAGE_CONNECTION_STRING"]


def test_what_is_not_installed_is_named_with_the_fix(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azurite, "SCRIPT", home.path / "missing")
    with pytest.raises(CommandFailed, match=r"Azurite is not installed .*: run `make setup`"):
        plan_stack(home, 1)


def test_the_queues_are_those_of_the_contracts() -> None:
    queues = read_queues(QUEUES_FILE, {})
    assert tuple(queues) == QUEUES
    for options in queues.values():
        assert (options.lock_duration_s, options.max_delivery_count) == (60, 10)
        assert options.duplicate_detection_window_s == 600
