import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection
from framebrush_cli.local import Home, Stack, acquire

LOCAL = {
    "FRAMEBRUSH_STORAGE_CONNECTION_STRING": "local storage",
    "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": "Endpoint=sb://local",
    "FRAMEBRUSH_DEFAULT_MODEL": "mosaic",
}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A stack two folders above the current one."""
    home = Home(tmp_path / ".framebrush")
    home.path.mkdir()
    home.write(Stack(environment=LOCAL, parts=()))
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return home


@pytest.fixture
def running(stack: Home) -> Iterator[Home]:
    lock = acquire(stack.lock)
    yield stack
    os.close(lock)


@pytest.mark.usefixtures("running")
def test_the_local_stack_is_found_from_below() -> None:
    settings = Connection().settings
    assert settings.storage_connection_string is not None
    assert settings.storage_connection_string.get_secret_value() == "local storage"
    assert settings.default_model == "mosaic"


@pytest.mark.usefixtures("running")
def test_variables_come_before_the_local_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL", "https://a.blob.core.windows.net")
    settings = Connection().storage
    assert settings.storage_account_url == "https://a.blob.core.windows.net"
    assert settings.storage_connection_string is None


def test_a_flag_overrules_the_other_way_to_the_same_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_CONNECTION_STRING", "from the environment")
    monkeypatch.setenv("FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING", "Endpoint=sb://bus")
    settings = Connection({"storage_account_url": "https://b.blob.core.windows.net"}).settings
    assert settings.storage_account_url == "https://b.blob.core.windows.net"
    assert settings.storage_connection_string is None
    assert settings.servicebus_connection_string is not None


def test_a_flag_for_one_account_overrules_the_variable_for_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong together: the other one is of another installation."""
    monkeypatch.setenv("FRAMEBRUSH_SYSTEM_STORAGE_ACCOUNT_URL", "https://system.blob.core.windows.net")
    assert Connection({"storage_account_url": "https://b.blob.core.windows.net"}).storage.system_containers == set()


@pytest.mark.usefixtures("stack")
def test_a_stack_that_does_not_run_is_named_with_the_fix() -> None:
    with pytest.raises(CommandFailed, match=r"the local stack in .*\.framebrush does not run: `framebrush up`"):
        _ = Connection().storage


def test_nothing_to_talk_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed, match=r"set FRAMEBRUSH_STORAGE_ACCOUNT_URL or .*, or run `framebrush up`"):
        _ = Connection().storage


def test_the_state_file_is_for_its_owner_only(stack: Home) -> None:
    assert stack.state.stat().st_mode & 0o077 == 0
    assert json.loads(stack.state.read_text())["environment"] == LOCAL


def test_a_malformed_connection_string_is_named() -> None:
    with pytest.raises(CommandFailed, match="storage: Connection string"):
        _ = Connection({"storage_connection_string": "nonsense"}).store
    both = {"storage_connection_string": "x", "servicebus_connection_string": "nonsense"}
    with pytest.raises(CommandFailed, match="the Service Bus connection string is malformed"):
        _ = Connection(both).settings


def test_a_url_that_is_none_is_no_matter_of_signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL", "nonsense")
    with pytest.raises(CommandFailed, match="FRAMEBRUSH_STORAGE_ACCOUNT_URL: must be the URL of a storage account"):
        _ = Connection().store


def test_who_is_not_signed_in_is_told_in_one_line(tmp_path: Path) -> None:
    """azure-identity tells in twenty lines what it has tried."""
    own = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    address = {"FRAMEBRUSH_STORAGE_ACCOUNT_URL": "https://account.blob.core.windows.net"}
    done = subprocess.run(
        [sys.executable, "-m", "framebrush_cli", "runs"],
        env=own | address, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.rstrip().endswith("run `az login`; a pod needs a workload identity")
    assert len(done.stderr.splitlines()) == 1
