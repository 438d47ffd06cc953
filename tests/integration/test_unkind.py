"""Whole runs through a broker that is as unkind as Azure: what comes out is what a kind broker lets out."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from support.system import System
from support.video import facts, make_video

from framebrush.contracts import QUEUES, BlobRef, Options, RunRequest, State
from framebrush.messaging import connect
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, plan_stack

FRAMES = 120
FAULTS = ("--lost-settlements=0.1", "--reordered=0.3", "--busy=0.05")
"""More often than `--unkind` alone has it, so that a run of seconds meets each several times."""
IDLE = {"--detach-idle=4": "link is force detached", "--close-idle=4": "connection was inactive"}
"""What the broker's log says of each; a client opens a new connection after either, so one keeps the other away."""
LIMIT_S = 180

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 4 s with uneven frame times, a keyframe every 30 frames, and stereo sound."""
    times = [512 * number + 256 * (number % 3 == 0) for number in range(FRAMES)]
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    return make_video(path, size=(160, 120), pts=times, time_base=Fraction(1, 12800), gop=30)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Azurite, a kind broker and the four services, ready."""
    home = Home(tmp_path_factory.mktemp("stack"))
    home.azurite.mkdir()
    try:
        stack = plan_stack(home, scorers=1)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    queues = home.path / "queues.json"
    options = {"lock_duration_s": 10, "max_delivery_count": 10, "duplicate_detection_window_s": 600}
    queues.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    parts = {part.name: part for part in stack.parts}
    command = list(parts["broker"].command)
    command[command.index("--queues") + 1] = str(queues)
    parts["broker"] = parts["broker"].model_copy(update={"command": tuple(command)})
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    settings = {
        "FRAMEBRUSH_DEFAULT_MODEL": "identity",
        "FRAMEBRUSH_SEGMENT_FRAMES": "30",
        "OMP_NUM_THREADS": "1",
    }
    system = System(parts, foreign | stack.environment | settings, home.path)
    with ExitStack() as cleanup:
        cleanup.callback(system.end)
        system.start_all(180)
        yield system


def run(system: System, source: Path, name: str) -> bytes:
    """Run the source under a name of its own; return the output."""
    runs, settings = system.runs, system.settings
    blob = BlobRef(container=settings.input_container, name=f"{name}.mp4")
    runs.store.write(blob, source.read_bytes())
    request = RunRequest(run_id=name, input=blob, options=Options(model="identity", batch_frames=4, preset="veryfast"))
    assert settings.servicebus_connection_string
    with ServiceBusClient.from_connection_string(
        settings.servicebus_connection_string.get_secret_value(), retry_total=10, retry_backoff_factor=0.1
    ) as client:
        client.get_queue_sender(request.queue).send_messages(
            ServiceBusMessage(request.encode(), message_id=request.message_id)
        )
    end = time.monotonic() + LIMIT_S
    while (name, State.SUCCEEDED) not in (found := runs.ids(name)):
        logs = "\n".join(system.log(part) for part in ("splitter", "dispatcher", "scorer", "stitcher"))
        assert not {state for _, state in found} & {State.FAILED, State.CANCELLED}, f"{runs.status(name)}\n{logs}"
        assert time.monotonic() < end, f"{name} stands still\n{logs}"
        time.sleep(0.1)
    output = runs.status(name).output
    assert output is not None
    return runs.store.read(output)


@pytest.fixture(scope="module")
def undisturbed(system: System, source: Path) -> bytes:
    output = run(system, source, "undisturbed")
    assert (facts(output).times, facts(output).copied) == (facts(source).times, facts(source).copied)
    return output


@pytest.mark.parametrize("idle", IDLE)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_through_an_unkind_broker_is_exact(
    system: System, source: Path, undisturbed: bytes, seed: int, idle: str
) -> None:
    system.kill("broker")
    kind = system.parts["broker"]
    system.parts["broker"] = kind.model_copy(
        update={"command": (*kind.command, f"--unkind={seed}", *FAULTS, idle, "--log-level=info")}
    )
    system.start("broker")
    system.wait("broker")
    try:
        logged = len((system.logs / "broker.log").read_text())
        name = f"unkind-{seed}{idle.partition('=')[0].replace('--', '-')}"
        assert run(system, source, name) == undisturbed
        end = time.monotonic() + 60  # a run may be too short for anything to idle: then the pause after it is not
        while IDLE[idle] not in (system.logs / "broker.log").read_text()[logged:]:
            assert time.monotonic() < end, "nothing idles"
            time.sleep(0.5)
        assert run(system, source, f"{name}-again") == undisturbed
        log = (system.logs / "broker.log").read_text()[logged:]
        faults = ("fault: lost_settlements", "fault: reordered", "fault: busy", IDLE[idle])
        assert [fault for fault in faults if fault not in log] == [], "the run was too short to meet all faults"
    finally:
        system.kill("broker")
        system.parts["broker"] = kind
        system.start("broker")
        system.wait("broker")


def test_no_message_was_put_aside(system: System, undisturbed: bytes) -> None:
    with connect(system.settings) as client, ExitStack() as stack:
        for queue in QUEUES:
            receiver = stack.enter_context(client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER))
            assert receiver.peek_messages(10, sequence_number=1) == []
