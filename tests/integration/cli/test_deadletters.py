"""Dead letters over real AMQP."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSender
from pydantic import SecretStr
from support.faults import Delay
from support.proxy import Proxy
from support.queues import eventually

from framebrush.contracts import QUEUES, BlobRef, Failure, Manifest, State, Status
from framebrush.errors import Unavailable
from framebrush.messaging import (
    ATTEMPTS,
    COPIES,
    GENERATION,
    RUN,
    MessageSender,
    connect,
    dead_letter_receiver,
    number_property,
)
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import MemoryStore
from framebrush_broker.testing import BrokerProcess, running_broker
from framebrush_cli.installation import LOCKED, Selection, find, peek, replay

MANIFEST = Path(__file__).parents[2] / "contract" / "golden" / "manifest.json"
MANY = 2000
AWAY = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=Yg==;BlobEndpoint=http://127.0.0.1:1/a;"
"""Storage that a replay of messages of no run does not need."""


@pytest.fixture
def runs() -> Runs:
    return Runs(MemoryStore(), "work")


def dead_letter(client: ServiceBusClient, queue: str, *messages: tuple[str, str | None]) -> None:
    """Put messages aside, each a body and the run it belongs to."""
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for body, run_id in messages:
            properties: dict[str | bytes, int | float | bytes | bool | str] = {ATTEMPTS: 4, COPIES: 4, "color": "red"}
            if run_id:
                properties[RUN] = run_id
            sender.send_messages(
                ServiceBusMessage(body, message_id=f"{body}~4", subject="kind", application_properties=properties)
            )
            [received] = receiver.receive_messages(1, max_wait_time=5)
            receiver.dead_letter_message(received, reason="invalid_video", error_description="no picture in it")


def fail(runs: Runs, run_id: str) -> None:
    now = datetime.now(UTC)
    source = BlobRef(container="input", name="a.mp4")
    runs.create(
        Status(run_id=run_id, state=State.RUNNING, created=now, updated=now, input=source, model="oil", frames=9)
    )
    runs.fail(run_id, Failure(reason="invalid_video", description="no picture in it"))


def test_peek_tells_what_and_why_and_leaves_it_there(settings: Settings) -> None:
    with connect(settings) as client:
        dead_letter(client, "splits", ("one", "run-a"))
    for _ in range(2):
        [found] = peek(settings, Selection())
    assert (found.queue, found.run_id, found.reason, found.description) == (
        "splits", "run-a", "invalid_video", "no picture in it",
    )  # fmt: skip
    assert found.body == b"one"
    assert found.enqueued is not None


def test_replay_reopens_the_run_and_sends_a_fresh_copy(settings: Settings, runs: Runs) -> None:
    fail(runs, "run-a")
    with connect(settings) as client:
        dead_letter(client, "splits", ("one", "run-a"))
        told = list(replay(settings, runs, find(settings, Selection())))
        assert peek(settings, Selection()) == []
        with client.get_queue_receiver("splits") as receiver:
            [copy] = receiver.receive_messages(1, max_wait_time=5)
    assert [letter.body for letter in told] == [b"one"]
    status = runs.status("run-a")
    assert (status.state, status.error, status.ended) == (State.RUNNING, None, None)
    assert b"".join(copy.body) == b"one"
    assert copy.message_id == f"one+{told[0].sequence}"
    assert copy.subject == "kind"
    assert (number_property(copy, ATTEMPTS), number_property(copy, COPIES)) == (0, 0)
    assert {b"color": b"red", RUN.encode(): b"run-a", GENERATION.encode(): 1} == copy.application_properties


def test_replay_of_some_leaves_the_others(settings: Settings, runs: Runs) -> None:
    with connect(settings) as client:
        dead_letter(client, "batches", ("one", "run-a"), ("two", "run-b"), ("three", "run-a"), ("four", None))
        dead_letter(client, "scored", ("five", "run-b"))

    told = list(replay(settings, runs, find(settings, Selection(run_id="run-b"))))
    assert {letter.body for letter in told} == {b"two", b"five"}
    left = {letter.body: letter for letter in peek(settings, Selection())}
    assert set(left) == {b"one", b"three", b"four"}

    told = list(replay(settings, runs, find(settings, Selection("batches", None, frozenset([left[b"four"].sequence])))))
    assert [letter.body for letter in told] == [b"four"]
    assert {letter.body for letter in peek(settings, Selection())} == {b"one", b"three"}


def test_a_crash_before_completion_duplicates_rather_than_loses(
    settings: Settings, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    with connect(settings) as client:
        dead_letter(client, "frames", ("one", None))
        with monkeypatch.context() as patch:
            patch.setattr("azure.servicebus.ServiceBusReceiver.complete_message", crash)
            with pytest.raises(RuntimeError):
                list(replay(settings, runs, find(settings, Selection("frames"))))
        assert [letter.body for letter in peek(settings, Selection("frames"))] == [b"one"]
        with client.get_queue_receiver("frames") as receiver:
            [copy] = receiver.receive_messages(1, max_wait_time=5)
    assert b"".join(copy.body) == b"one"


@contextmanager
def expiring_broker(folder: Path, lock: float) -> Iterator[BrokerProcess]:
    """A broker that makes a dead letter of every message that expires; its locks last ``lock`` seconds."""
    options = {
        "lock_duration_s": lock,
        "dead_lettering_on_message_expiration": True,
        "duplicate_detection_window_s": 600,
    }
    file = folder / "queues.json"
    file.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    with running_broker(arguments=[f"--queues={file}"]) as process:
        yield process


@pytest.fixture
def expiring(tmp_path: Path) -> Iterator[BrokerProcess]:
    with expiring_broker(tmp_path, lock=2) as process:
        yield process


def expire(settings: Settings, queue: str, count: int, run_id: str | None) -> None:
    """Put many messages aside at once."""
    messages = (
        ServiceBusMessage(
            json.dumps({"run_id": run_id, "number": number}),
            message_id=f"{run_id}/{number}",
            time_to_live=timedelta(seconds=1),
        )
        for number in range(count)
    )
    with connect(settings) as client, MessageSender(client) as sender:
        sender.send_batches(queue, messages)
        with client.get_queue_receiver(queue) as receiver:
            eventually(lambda: not receiver.peek_messages(1, sequence_number=1))


def contents(settings: Settings, queue: str) -> list[str]:
    """The ids of all messages that wait in a queue, in order."""
    ids, following = list[str](), 1
    with connect(settings) as client, client.get_queue_receiver(queue) as receiver:
        while page := receiver.peek_messages(250, sequence_number=following):
            ids += [str(message.message_id) for message in page]
            following = (page[-1].sequence_number or 0) + 1
    return ids


def with_broker(process: BrokerProcess) -> Settings:
    connections = {"storage_connection_string": "unused", "servicebus_connection_string": process.connection_string}
    return Settings.model_validate(connections)


def test_a_run_of_many_segments_is_replayed_in_batches_with_few_locks(
    expiring: BrokerProcess, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks last two seconds here, far less than the whole takes."""
    fail(runs, "run-a")
    plan = Manifest.decode(MANIFEST.read_bytes())
    segments = plan.segments[:1] * MANY
    runs.store.write(runs.blobs("run-a").manifest, plan.model_copy(update={"segments": segments}).encode())
    settings = with_broker(expiring)
    expire(settings, "batches", MANY, "run-a")
    requests, held, most = 0, 0, 0
    send, receive, complete = (
        ServiceBusSender.send_messages,
        ServiceBusReceiver.receive_messages,
        ServiceBusReceiver.complete_message,
    )

    def counted_send(*arguments: Any, **options: Any) -> None:
        nonlocal requests
        requests += 1
        send(*arguments, **options)

    def counted_receive(*arguments: Any, **options: Any) -> Any:
        nonlocal held, most
        page = receive(*arguments, **options)
        held += len(page)
        most = max(most, held)
        return page

    def counted_complete(*arguments: Any) -> None:
        nonlocal held
        complete(*arguments)
        held -= 1

    monkeypatch.setattr(ServiceBusSender, "send_messages", counted_send)
    monkeypatch.setattr(ServiceBusReceiver, "receive_messages", counted_receive)
    monkeypatch.setattr(ServiceBusReceiver, "complete_message", counted_complete)
    told = list(replay(settings, runs, find(settings, Selection())))
    assert len({letter.sequence for letter in told}) == len(told) == MANY
    assert peek(settings, Selection()) == []
    assert [id_.partition("+")[0] for id_ in contents(settings, "batches")] == [f"run-a/{n}" for n in range(MANY)]
    assert contents(settings, "splits") == [f"run-a/segment_planned/{segment}@1" for segment in range(MANY)]
    assert most <= LOCKED
    assert requests < MANY / 50


def test_a_letter_behind_many_others_is_found(expiring: BrokerProcess, runs: Runs) -> None:
    settings = with_broker(expiring)
    expire(settings, "batches", 300, "run-a")
    expire(settings, "batches", 1, "run-b")
    [letter] = replay(settings, runs, find(settings, Selection(run_id="run-b")))
    assert letter.run_id == "run-b"
    with connect(settings) as client, dead_letter_receiver(client, "batches") as receiver:
        [first] = receiver.receive_messages(1, max_wait_time=1)
        assert first.message_id == "run-a/0", "the others were handed back"


def test_a_letter_that_somebody_took_away_is_not_waited_for(expiring: BrokerProcess, runs: Runs) -> None:
    settings = with_broker(expiring)
    expire(settings, "batches", 3, "run-a")
    found = find(settings, Selection())
    with connect(settings) as client, dead_letter_receiver(client, "batches") as receiver:
        [taken] = receiver.receive_messages(1, max_wait_time=5)
        receiver.complete_message(taken)
    assert [letter.message_id for letter in replay(settings, runs, found)] == ["run-a/1", "run-a/2"]


def test_locks_that_run_out_at_once_end_a_replay(tmp_path: Path, runs: Runs) -> None:
    with expiring_broker(tmp_path, lock=0.001) as process:
        settings = with_broker(process)
        expire(settings, "batches", 3, "run-a")
        with pytest.raises(Unavailable, match="batches: locks run out as soon as they are taken"):
            list(replay(settings, runs, find(settings, Selection())))
        assert len(peek(settings, Selection())) == 3


def test_what_strangers_have_sent_can_be_listed_and_shown(expiring: BrokerProcess) -> None:
    bodies = [b"[" * 100_000, b'{"a": "\\ud800"}', b"\xff", b"", b'"\\u001b[31m[red]"']
    odd = {RUN: "../a", GENERATION: "many", "number": 0.5}
    soon = timedelta(seconds=1)
    with connect(with_broker(expiring)) as client, MessageSender(client) as sender:
        sender.send_batches(
            "batches", [ServiceBusMessage(body, application_properties=odd, time_to_live=soon) for body in bodies]
        )
    eventually(lambda: len(peek(with_broker(expiring), Selection("batches"))) == len(bodies))
    for arguments, count in ((["list"], 5), (["list", "--json"], 10), (["show", "1"], 2), (["show", "2"], 2)):
        told = subprocess.run(
            [sys.executable, "-m", "framebrush_cli", "dlq", *arguments, "--queue", "batches"],
            env=environment(expiring), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert told.stdout.count("TTLExpiredException") == count
        assert "\x1b" not in told.stdout


def environment(process: BrokerProcess) -> dict[str, str]:
    """The variables of a command that needs the broker and no storage."""
    connections = {
        "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": process.connection_string,
        "FRAMEBRUSH_STORAGE_CONNECTION_STRING": AWAY,
    }
    return {**os.environ, **connections}


@pytest.fixture
def slow(expiring: BrokerProcess) -> Iterator[Proxy]:
    """A proxy before the broker that delays each packet by up to 20 ms, so that a replay takes far longer than it takes
    to notice that it has begun."""
    proxy = Proxy(expiring.ports["amqp"])
    proxy.start()
    proxy.disturb(lambda: Delay(Random(0), 0.02))
    yield proxy
    proxy.stop()


def test_a_replay_that_is_interrupted_loses_and_doubles_nothing(expiring: BrokerProcess, slow: Proxy) -> None:
    """Ctrl-C in the middle; a second replay sends the rest, and no message is twice in its queue."""
    settings, slowly = with_broker(expiring), environment(expiring)
    address = slowly["FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING"]
    slowly["FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING"] = address.replace(f":{slow.backend_port}", f":{slow.port}")
    expire(settings, "batches", MANY, None)
    command = [sys.executable, "-m", "framebrush_cli", "dlq", "replay", "--queue", "batches"]
    pipe = subprocess.PIPE
    with connect(settings) as client, client.get_queue_receiver("batches") as receiver:
        # A shell starts what is in its background with the signal ignored, tests and their processes, too.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        replaying = subprocess.Popen(command, env=slowly, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed)
        eventually(lambda: len(receiver.peek_messages(200, sequence_number=1)) == 200)
        replaying.send_signal(signal.SIGINT)
        told, errors = replaying.communicate(timeout=30)
    assert replaying.returncode != 0
    assert "Traceback" not in errors
    sent = int(told.split()[1])
    left = len(peek(settings, Selection()))
    assert 0 < sent < MANY
    assert MANY - sent - left in (0, 1), "the one in hand may be gone before it was counted"
    second = subprocess.run(command, env=environment(expiring), capture_output=True, text=True, timeout=60)
    assert second.returncode == 0, second.stderr
    assert second.stdout == f"batches: {left} messages sent again\n"
    assert peek(settings, Selection()) == []
    assert [id_.partition("+")[0] for id_ in contents(settings, "batches")] == [f"None/{n}" for n in range(MANY)]


def test_a_broker_that_is_away_is_one_line(settings: Settings) -> None:
    nowhere = settings.model_copy(
        update={
            "servicebus_connection_string": SecretStr(
                "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
            )
        }
    )
    with pytest.raises(Unavailable, match="service bus: "):
        peek(nowhere, Selection("frames"))
