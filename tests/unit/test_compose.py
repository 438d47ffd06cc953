"""k8s/compose.yaml: as Docker Compose reads it, with settings that the services accept."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyOptions

from framebrush.environment import load
from framebrush.service import Settings
from framebrush_broker.__main__ import _parser
from framebrush_cli.local import QUEUES_FILE
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_scorer.settings import LearnerSettings, ScorerSettings
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher.settings import StitcherSettings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "k8s" / "compose.yaml"
SERVICES: dict[str, type[Settings]] = {
    "splitter": SplitterSettings,
    "dispatcher": DispatcherSettings,
    "scorer": ScorerSettings,
    "learner": LearnerSettings,
    "stitcher": StitcherSettings,
}


def read(text: str) -> dict[str, Any]:
    """Read a file as Compose does: variables, merges, the specification, and what parts name of each other."""
    options = PyOptions()
    options.apply_merge = True
    found = options.from_yaml(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    found.validate()
    return dict(found.to_dict())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read(FILE.read_text())


@pytest.mark.parametrize(
    ("what", "instead", "words"),
    [
        ("restart: unless-stopped", "restrat: unless-stopped", "restrat"),
        ("service_completed_successfully", "service_done", "unknown variant `service_done`"),
        ("source: queues", "source: nothing", "config `nothing`"),
    ],
)
def test_the_check_finds_mistakes(what: str, instead: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(FILE.read_text().replace(what, instead, 1))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_accepts_its_settings(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in [each for each in os.environ if each.startswith("FRAMEBRUSH_")]:
        monkeypatch.delenv(variable)
    given = compose["services"][name]["environment"]
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
        assert variable.removeprefix("FRAMEBRUSH_").lower() in SERVICES[name].model_fields, variable
    settings = load(SERVICES[name])
    assert settings.http_port == 9090, "where its health is asked for"
    (storage, bus) = (settings.storage_connection_string, settings.servicebus_connection_string)
    assert storage and bus
    for address, server in ((storage, "azurite:10000"), (bus, "broker:5672")):
        assert f"//{server}" in address.get_secret_value()
        assert server.partition(":")[0] in compose["services"]


def test_every_service_runs_from_an_image_of_ours_of_this_version(compose: dict[str, Any]) -> None:
    version = yaml.safe_load((ROOT / "charts/framebrush/Chart.yaml").read_text())["appVersion"]
    made = re.findall(r"^IMAGES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    images = {name: each["image"] for name, each in compose["services"].items()}
    values = yaml.safe_load((ROOT / "charts/framebrush/values.yaml").read_text())
    assert images.pop("azurite") == values["local"]["azurite"]["image"]
    assert set(images.values()) == {f"framebrush/{name}:{version}" for name in made}
    importlib.import_module(compose["services"]["learner"]["entrypoint"][-1])


def test_broker_and_azurite_are_started_as_in_a_cluster(compose: dict[str, Any]) -> None:
    options = _parser().parse_args(compose["services"]["broker"]["command"])
    assert str(options.queues) == compose["services"]["broker"]["configs"][0]["target"]
    assert (FILE.parent / compose["configs"]["queues"]["file"]).resolve() == QUEUES_FILE.resolve()
    chart = (ROOT / "charts/framebrush/templates/local/azurite.yaml").read_text()
    assert f"command: [{', '.join(compose['services']['azurite']['command'])}]" in chart


def test_ports_are_those_of_this_machine(compose: dict[str, Any]) -> None:
    ports = [each for service in compose["services"].values() for each in service.get("ports", ())]
    assert len(ports) == 3
    assert all(str(port["host_ip"] if isinstance(port, dict) else port).startswith("127.0.0.1") for port in ports)
