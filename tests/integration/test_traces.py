"""What is left of a run when its pods are gone: its trace in a collector, and its logs in storage.

The services are processes, and so are the backends. Every batch is delivered twice.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from support.collector import Span, running_collector
from support.system import System
from support.video import make_video

from framebrush.contracts import BlobRef, Options, RunRequest, State
from framebrush.messaging import body_of, connect
from framebrush.storage import AzureBlobs
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, plan_stack

pytestmark = [pytest.mark.timeout(300)]

SERVICES = ("splitter", "dispatcher", "scorer", "stitcher")
FRAMES, BATCH = 24, 4
BATCHES = FRAMES // BATCH
PARENTS = {
    "decode": {"plan"},
    "dispatch": {"decode"},
    "score": {"dispatch"},
    "complete": {"score", "encode"},
    "encode": {"complete"},
    "join": {"complete"},
}
"""Which step sends the messages of a step."""
CALLER, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass
class Left:
    """A run that has ended, after all services have ended, too."""

    run_id: str
    system: System
    spans: list[Span]
    logs: list[dict[str, Any]]

    @property
    def trace(self) -> list[Span]:
        """The spans of the run's trace."""
        return [span for span in self.spans if span.trace != CALLER]

    def handled(self, queue: str) -> list[dict[str, Any]]:
        """The lines of a queue's messages."""
        return [line for line in self.logs if line.get("queue") == queue]


def until(system: System, happened: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end, "\n".join(f"{name}:\n{system.log(name)}" for name in SERVICES)
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    home = Home(tmp_path_factory.mktemp("stack"))
    home.azurite.mkdir()
    try:
        stack = plan_stack(home, scorers=1)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("FRAMEBRUSH_", "OTEL_"))}
    film = make_video(tmp_path_factory.mktemp("film") / "film.mp4", pts=range(0, FRAMES * 512, 512))
    with ExitStack() as cleanup:
        collector = cleanup.enter_context(running_collector())
        settings = {"FRAMEBRUSH_SEGMENT_FRAMES": "12", "OMP_NUM_THREADS": "1"}
        environment = foreign | stack.environment | settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        system = System({part.name: part for part in stack.parts}, environment, home.path)
        cleanup.callback(system.end)
        for names in (("azurite", "broker"), SERVICES[:2]):
            for name in names:
                system.start(name)
            for name in names:
                system.wait(name)
            if "azurite" in names:
                AzureBlobs(system.settings).create_containers(system.settings.containers)
        run_id = run(system, film.read_bytes())
        system.stop(SERVICES)
        yield Left(run_id, system, list(collector.spans), read_logs(system, run_id))


def run(system: System, film: bytes) -> str:
    """Style a film, with a trigger from within a caller's trace that names no run, and with each batch twice."""
    store, blob = system.runs.store, BlobRef(container="input", name="film.mp4")
    store.write(blob, film)
    options = Options(model="identity", batch_frames=BATCH, pack_codec="png", lossless=True)
    trigger = RunRequest(input=blob, options=options)
    with (
        connect(system.settings) as client,
        client.get_queue_sender("triggers") as triggers,
        client.get_queue_receiver("batches") as receiver,
        client.get_queue_sender("batches") as batches,
    ):
        properties: dict[str | bytes, Any] = {"traceparent": f"00-{CALLER}-{PARENT}-01"}
        triggers.send_messages(ServiceBusMessage(trigger.encode(), application_properties=properties))

        def sent() -> list[ServiceBusReceivedMessage]:
            found = receiver.peek_messages(100, sequence_number=1)
            return found if len(found) == BATCHES else []

        for number, message in enumerate(until(system, sent)):
            again = message.application_properties
            batches.send_messages(
                ServiceBusMessage(body_of(message), message_id=f"again-{number}", application_properties=again)
            )
    for name in SERVICES[2:]:
        system.start(name)
    (found,) = system.runs.ids()
    until(system, lambda: (state := system.runs.state(found[0])) and state.ended)
    status = system.runs.status(found[0])
    assert status.state is State.SUCCEEDED, status.error
    until(system, lambda: emptied(system))
    return status.run_id


def emptied(system: System) -> bool:
    """Whether the second delivery of the last batch is done, too."""
    with connect(system.settings) as client:
        for queue in ("batches", "events", "scored"):
            with client.get_queue_receiver(queue) as receiver:
                if receiver.peek_messages(1):
                    return False
    return True


def read_logs(system: System, run_id: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "framebrush_cli", "logs", run_id, "--json"]
    done = subprocess.run(command, env=system.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_trace_has_all_steps_of_a_run(left: Left) -> None:
    assert {span.trace for span in left.trace} == {sha256sum(left.run_id)}
    found = Counter((span.service.removeprefix("framebrush-"), span.name) for span in left.trace)
    assert found == {
        ("splitter", "plan"): 1,
        ("splitter", "decode"): 2,
        ("dispatcher", "dispatch"): found["dispatcher", "dispatch"],
        ("scorer", "score"): 2 * BATCHES,
        ("dispatcher", "complete"): found["dispatcher", "complete"],
        ("stitcher", "encode"): 2,
        ("stitcher", "join"): 1,
    }
    assert all(span.nanoseconds > 0 for span in left.trace)


def sha256sum(run_id: str) -> str:
    """As docs/operations.md says it."""
    command = f"printf %s {run_id} | sha256sum | cut -c1-32"
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.strip()


def test_each_span_has_the_span_that_sent_its_message_as_parent(left: Left) -> None:
    by_id = {span.span: span for span in left.trace}
    assert len(by_id) == len(left.trace)
    for span in left.trace:
        if span.name == "plan":
            assert span.parent == ""
        else:
            assert by_id[span.parent].name in PARENTS[span.name], span
    again = {span.message: span for span in left.trace if span.message.startswith("again-")}
    first = [span for span in left.trace if span.name == "score" and span.message not in again]
    assert (len(again), len(first)) == (BATCHES, BATCHES)
    assert Counter(span.parent for span in again.values()) == Counter(span.parent for span in first)


def test_the_callers_trace_has_the_trigger_and_a_link_to_it(left: Left) -> None:
    (trigger,) = [span for span in left.spans if span.trace == CALLER]
    (planned,) = [span for span in left.trace if span.name == "plan"]
    assert (trigger.name, trigger.parent) == ("plan", PARENT)
    assert planned.links == (trigger.span,)


def test_the_logs_of_a_run_tell_of_each_message(left: Left) -> None:
    """Its frames are deleted, and the services have ended."""
    runs = left.system.runs
    blobs = runs.blobs(left.run_id)
    assert not [blob for prefix in blobs.intermediate_prefixes for blob in runs.store.list(runs.container, prefix)]
    assert left.logs == sorted(left.logs, key=lambda line: line["time"])
    assert {line["service"] for line in left.logs} == set(SERVICES)
    lines = [line for line in left.logs if "outcome" in line]
    spans = {(span.message, span.trace, span.span) for span in left.spans}
    assert {(line["message_id"], line["trace"], line["span"]) for line in lines} == spans
    assert len(lines) == len(spans)
    for line in lines:
        assert line["outcome"] == "completed"
        assert (line["run"], line["delivery"], line["attempt"]) == (left.run_id, 1, 1)
        assert line["pod"] and line["queue"] and line["seconds"] >= 0 and line["waited"] >= 0


def test_the_logs_of_a_run_tell_the_time_of_each_step(left: Left) -> None:
    scored = [line for line in left.handled("batches") if "model" in line]  # the second delivery finds its work done
    assert len(scored) == BATCHES
    assert {line["first_frame"] for line in scored} == {0, 4, 8}
    for line in scored:
        assert (line["model"], line["device"], line["frames"]) == ("identity", "cpu", BATCH)
        assert {"read", "decode", "model", "encode", "write", "send"} <= line["milliseconds"].keys()
    for queue, step in (("triggers", "plan"), ("splits", "decode"), ("scored", "encode"), ("scored", "join")):
        line = next(line for line in left.handled(queue) if step in line.get("milliseconds", {}))
        assert line["step"] == step
        assert line["milliseconds"][step] > 0
