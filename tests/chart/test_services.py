"""What the chart tells the services is what they understand: settings, queues, command lines."""

import re
import shlex
from pathlib import Path
from typing import Any

import av
import pytest
import typer.main
from chart import generate
from chart.cases import GIVEN
from chart.generate import CHART
from chart.rendered import Manifests, render
from pydantic_core import PydanticUndefined

from framebrush.contracts import QUEUES
from framebrush.environment import load
from framebrush.service import Settings
from framebrush.tracing.spans import ENDPOINTS
from framebrush_broker.__main__ import _parser as broker_parser
from framebrush_broker.options import read_queues as broker_queues
from framebrush_cli.__main__ import app
from framebrush_cli.installation import read_queues
from framebrush_cli.local import QUEUES_FILE as LAPTOP
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_scorer.settings import LearnerSettings, ScorerSettings
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher.settings import StitcherSettings

SETTINGS: dict[str, type[Settings]] = {
    "splitter": SplitterSettings,
    "dispatcher": DispatcherSettings,
    "scorer": ScorerSettings,
    "stitcher": StitcherSettings,
    "learner": LearnerSettings,
}
ELSEWHERE = {
    "storage_connection_string", "storage_account_url",
    "system_storage_connection_string", "system_storage_account_url",
    "servicebus_connection_string", "servicebus_namespace",
    "input_container", "work_container", "output_container", "styles_container", "logs_container",
    "message_timeout", "drain_grace",
    "metrics_linger", "concurrency", "styles",
}  # fmt: skip
"""Settings that follow from other values."""
DERIVED = {"window_batches"}
"""Settings for which the chart finds a value where none is given."""
FIXED = {"http_host", "http_port", "scratch"}
"""Settings that are the same in every pod."""


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_can_be_given_and_has_the_services_default(service: str) -> None:
    described = generate.resolve(
        generate.schema()["properties"]["services"]["properties"][service]["properties"]["settings"]
    )
    given = {snake(name): generate.resolve(node)["default"] for name, node in described["properties"].items()}
    fields = SETTINGS[service].model_fields
    assert given.keys() == fields.keys() - ELSEWHERE - FIXED
    for name, default in given.items():
        assert fields[name].default is not PydanticUndefined
        assert name in DERIVED or fields[name].default == default, name


@pytest.mark.parametrize("base", ["aks", "kind"])
def test_services_read_their_settings(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = render(base, {"styles.existingConfigMap": "films"})
    for name, deployment in found.of("Deployment").items():
        component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        if component not in SETTINGS:
            continue
        with monkeypatch.context() as patch:
            environment = found.environment(name)
            for variable, value in environment.items():
                patch.setenv(variable, value)
            for variable in deployment["spec"]["template"]["spec"]["containers"][0].get("env", []):
                patch.setenv(variable["name"], "from the secret")
            settings = load(SETTINGS[component])
            names = {variable.removeprefix("FRAMEBRUSH_").lower() for variable in environment}
            assert names <= type(settings).model_fields.keys()  # a variable that nobody reads is a mistake
            assert settings.drain_grace <= settings.message_timeout
            assert settings.http_port == 9090


@pytest.mark.parametrize(
    ("setting", "value", "variable", "text"),
    [
        ("splitter.settings.maxFrames", 2000000, "MAX_FRAMES", "2000000"),  # not 2e+06
        ("splitter.settings.maxDuration", 1.5, "MAX_DURATION", "1.5"),
        ("splitter.settings.keepFrames", True, "KEEP_FRAMES", "true"),
        ("dispatcher.settings.runLogs", False, "RUN_LOGS", "false"),
        ("stitcher.settings.keepFrames", False, "KEEP_FRAMES", "false"),
        ("dispatcher.settings.deadLetterInterval", 30, "DEAD_LETTER_INTERVAL", "30"),
        ("splitter.settings.defaultModel", "1e3", "DEFAULT_MODEL", "1e3"),
    ],
)
def test_settings_keep_their_value(setting: str, value: Any, variable: str, text: str) -> None:
    found = render("", {f"services.{setting}": value})
    assert found.environment(f"framebrush-{setting.partition('.')[0]}")[f"FRAMEBRUSH_{variable}"] == text


def test_services_export_traces_where_an_endpoint_is_given() -> None:
    endpoint = "http://collector.monitoring:4318"
    for stage in SETTINGS:
        names = [name for name in render("aks").of("ConfigMap") if f"-{stage}" in name]
        assert names
        for name in names:
            assert ENDPOINTS[0] not in render("aks").environment(name)
            environment = render("aks", {"tracing.endpoint": endpoint}).environment(name)
            assert environment[ENDPOINTS[0]] == endpoint
            assert environment["OTEL_RESOURCE_ATTRIBUTES"] == "k8s.namespace.name=framebrush"


def test_names_of_containers_are_text() -> None:
    environment = render("", {"containers.input": "123"}).environment("framebrush-splitter")
    assert environment["FRAMEBRUSH_INPUT_CONTAINER"] == "123"


# --- queues


def declared(found: Manifests, name: str, folder: Path) -> Path:
    file = folder / "queues.json"
    file.write_text(found.of("ConfigMap")[name]["data"]["queues.json"])
    return file


@pytest.mark.parametrize("name", ["framebrush-setup", "framebrush-broker"])
def test_the_command_line_and_the_broker_read_the_queues(name: str, tmp_path: Path) -> None:
    file = declared(render("kind", {"queues.batches.lockDuration": 300}), name, tmp_path)
    assert read_queues(file).keys() == broker_queues(file, {}).keys() == set(QUEUES)
    assert read_queues(file)["batches"].lock_duration_s == 300
    for queue in read_queues(file).values():
        assert queue.duplicate_detection_window_s == 600
        assert queue.max_delivery_count > Settings.model_fields["max_attempts"].default


def test_a_cluster_has_the_queues_of_a_laptop(tmp_path: Path) -> None:
    cluster = read_queues(declared(render("kind"), "framebrush-setup", tmp_path))
    assert cluster == read_queues(LAPTOP)


# --- command lines


def parsed(arguments: list[str]) -> dict[str, Any]:
    """Arguments of ``framebrush``, as its own parser understands them."""
    group = typer.main.get_command(app)
    command = group.commands[arguments[0]]  # type: ignore[attr-defined]
    found: dict[str, Any] = command.make_context(arguments[0], arguments[1:]).params
    return found


def test_the_set_up_job_calls_the_command_line() -> None:
    found = render("", {"setup.enabled": True, "setup.timeout": 60})
    [container] = found.pod("framebrush-setup")["spec"]["containers"]
    assert container["command"][0] == "framebrush"
    assert parsed(container["command"][1:])["timeout"] == 60
    assert str(parsed(container["command"][1:])["queues"]) == "/queues/queues.json"
    job = found.of("Job")["framebrush-setup"]
    assert job["spec"]["activeDeadlineSeconds"] > 60
    variables = {each["name"] for each in container["env"]}
    assert {
        "FRAMEBRUSH_SERVICEBUS_NAMESPACE",
        "FRAMEBRUSH_STORAGE_ACCOUNT_URL",
        "FRAMEBRUSH_INPUT_CONTAINER",
    } <= variables


def test_the_test_calls_the_command_line() -> None:
    found = render("", {"test.model": "gouache"})
    pod = found.of("Pod")["framebrush-test"]
    [container] = pod["spec"]["containers"]
    assert container["command"] == ["/bin/sh", "-c"]
    name, _, command = container["args"][0].partition(" && ")
    assert name.startswith("id=")
    words = shlex.split(command.replace("$id", "helm-test-1"))
    assert words[:2] == ["exec", "framebrush"]
    options = parsed(words[2:])
    assert (options["run_id"], options["output"]) == ("helm-test-1", "helm-test/helm-test-1.mp4")
    assert options["model"] == ["gouache"]
    assert options["wait"] is True
    [video] = found.of("ConfigMap")["framebrush-test"]["binaryData"]
    assert options["video"] == f"/test/{video}"
    assert pod["spec"]["activeDeadlineSeconds"] == 1200


def test_the_tests_video_is_one_second() -> None:
    with av.open(str(CHART / "files/framebrush-test.mp4")) as video:
        assert 0.5 <= float(video.duration / av.time_base) <= 1.5
        assert video.streams.video[0].frames > 5


def test_the_broker_is_started_with_options_that_it_has() -> None:
    arguments = render("kind").pod("framebrush-broker")["spec"]["containers"][0]["args"]
    options = broker_parser().parse_args(arguments)
    assert (options.host, str(options.data)) == ("0.0.0.0", "/data/broker.db")


# --- when the set-up Job runs


def test_in_azure_queues_are_there_before_the_services() -> None:
    found = render("", GIVEN | {"setup.enabled": True})
    hooks = {
        each["kind"]: each["metadata"]["annotations"]
        for each in found.all
        if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-install,pre-upgrade"
    }
    assert hooks.keys() == {"ServiceAccount", "Secret", "ConfigMap", "Job"}  # nothing else of the chart is there yet
    weights = {kind: int(annotations["helm.sh/hook-weight"]) for kind, annotations in hooks.items()}
    assert weights.pop("Job") > max(weights.values())
    for annotations in hooks.values():  # so that an upgrade can make them again
        assert "before-hook-creation" in annotations["helm.sh/hook-delete-policy"]


def test_beside_the_local_stack_the_job_is_no_hook() -> None:
    """Pods are ready only after it, and ``helm --wait`` waits for them before it runs hooks."""
    found = render("kind")
    [name] = found.of("Job")
    assert name == "framebrush-setup-1"  # of the release's first revision: a Job cannot be changed
    assert found.of("Job")[name]["spec"]["ttlSecondsAfterFinished"] > 0
    for kind in ("Job", "ConfigMap", "ServiceAccount"):
        made = [each for each in found.of(kind).values() if "setup" in each["metadata"]["name"]]
        assert made
        assert not any("helm.sh/hook" in each["metadata"].get("annotations", {}) for each in made), kind


def test_without_set_up_there_is_no_job() -> None:
    assert not render().of("Job")
