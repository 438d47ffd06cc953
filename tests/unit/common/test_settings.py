"""Settings, and that docs/operations.md lists every one of them, every metric and every path."""

import os
import re
from pathlib import Path

import prometheus_client
import pytest

import framebrush.messaging.worker
import framebrush.storage.azure  # noqa: F401 - registers its metrics
from framebrush.environment import load
from framebrush.messaging import BrokerSettings
from framebrush.service import Settings
from framebrush.storage import StorageSettings
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_scorer.settings import LearnerSettings, ScorerSettings
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher.settings import StitcherSettings

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
SERVICES = {
    "all": Settings,
    "splitter": SplitterSettings,
    "dispatcher": DispatcherSettings,
    "scorer": ScorerSettings,
    "stitcher": StitcherSettings,
    "learner": LearnerSettings,
}
CONNECTED = {"FRAMEBRUSH_STORAGE_CONNECTION_STRING": "s", "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": "b"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FRAMEBRUSH_")]:
        monkeypatch.delenv(name)
    for name, value in CONNECTED.items():
        monkeypatch.setenv(name, value)


def refusal(cls: type[Settings] = Settings) -> str:
    with pytest.raises(SystemExit) as ended:
        load(cls)
    return str(ended.value)


@pytest.mark.parametrize("name", ["STORAGE_ACCOUNT_URL", "SYSTEM_STORAGE_ACCOUNT_URL"])
@pytest.mark.parametrize(
    "value", ["nonsense", "account.blob.core.windows.net", "http://a.example", "https://", "https:a"]
)
def test_a_url_that_is_none_is_told_with_its_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FRAMEBRUSH_{name}", value)
    wanted = "must be the URL of a storage account, such as https://ACCOUNT.blob.core.windows.net"
    assert refusal() == f"settings: FRAMEBRUSH_{name}: {wanted}"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_MAX_ATTEMPTS", "3")
    monkeypatch.setenv("FRAMEBRUSH_DRAIN_GRACE", "")
    settings = load(Settings)
    assert settings.max_attempts == 3
    assert settings.drain_grace == 30


@pytest.mark.parametrize("cls", [StorageSettings, Settings])
def test_missing_storage_is_told_in_one_line(cls: type[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEBRUSH_STORAGE_CONNECTION_STRING")
    text = refusal(cls)
    assert text == "settings: set FRAMEBRUSH_STORAGE_ACCOUNT_URL or FRAMEBRUSH_STORAGE_CONNECTION_STRING"


def test_both_storage_accounts_are_reached_in_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(StorageSettings).system_containers == set()
    monkeypatch.setenv("FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING", "t")
    assert load(StorageSettings).system_containers == {"work", "styles", "logs"}
    monkeypatch.setenv("FRAMEBRUSH_LOGS_CONTAINER", "output")
    assert "the container output cannot be in both storage accounts" in refusal()
    monkeypatch.delenv("FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("FRAMEBRUSH_SYSTEM_STORAGE_ACCOUNT_URL", "https://system.example")
    assert "reach both storage accounts by connection strings, or both by their URLs" in refusal()


@pytest.mark.parametrize("cls", [BrokerSettings, Settings])
def test_a_missing_broker_is_told_in_one_line(cls: type[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING")
    assert refusal(cls) == "settings: set FRAMEBRUSH_SERVICEBUS_NAMESPACE or FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ATTEMPTS", "0"),
        ("HTTP_PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
        ("INPUT_CONTAINER", "In Put"),
        ("MESSAGE_TIMEOUT", "-1"),
    ],
)
def test_a_bad_value_is_told_with_the_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FRAMEBRUSH_{name}", value)
    assert f"FRAMEBRUSH_{name}: " in refusal()


def test_secrets_are_not_shown() -> None:
    settings = Settings(storage_connection_string="AccountKey=secret", servicebus_connection_string="b")  # type: ignore[arg-type]
    assert "secret" not in repr(settings)


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading, by its first cell."""
    section = OPERATIONS.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0].strip("`"): row[1:] for row in cells[2:]}


def test_every_setting_is_documented() -> None:
    documented = {name: row for name, row in rows("Settings").items() if name.startswith("FRAMEBRUSH_")}
    existing = dict[str, dict[str, object]]()
    for service, cls in SERVICES.items():
        for field, info in cls.model_fields.items():
            existing.setdefault(f"FRAMEBRUSH_{field.upper()}", {})[service] = info.default
    assert documented.keys() == existing.keys()
    for name, defaults in existing.items():
        stated = re.sub(r"[`,]", "", documented[name][0])
        for default in set(defaults.values()):
            assert (f"{default:g}" if isinstance(default, float) else str(default)) in stated.replace("—", "None"), name


def test_every_metric_is_documented() -> None:
    exported = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in prometheus_client.REGISTRY.collect()
        if family.name.startswith("framebrush_")
    }
    assert "framebrush_messages_total" in exported
    assert exported - rows("Metrics").keys() == set()
