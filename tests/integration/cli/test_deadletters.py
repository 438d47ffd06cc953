"""Dead letters over real AMQP."""

from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from pydantic import SecretStr

from framebrush.contracts import BlobRef, Failure, State, Status
from framebrush.errors import Unavailable
from framebrush.messaging import ATTEMPTS, COPIES, RUN, connect, number_property
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import MemoryStore
from framebrush_cli.installation import Selection, peek, replay


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
        told = list(replay(settings, runs, Selection()))
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
    assert {b"color": b"red", RUN.encode(): b"run-a"} == copy.application_properties


def test_replay_of_some_leaves_the_others(settings: Settings, runs: Runs) -> None:
    with connect(settings) as client:
        dead_letter(client, "batches", ("one", "run-a"), ("two", "run-b"), ("three", "run-a"), ("four", None))
        dead_letter(client, "scored", ("five", "run-b"))

    told = list(replay(settings, runs, Selection(run_id="run-b")))
    assert {letter.body for letter in told} == {b"two", b"five"}
    left = {letter.body: letter for letter in peek(settings, Selection())}
    assert set(left) == {b"one", b"three", b"four"}

    told = list(replay(settings, runs, Selection("batches", None, frozenset([left[b"four"].sequence]))))
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
                list(replay(settings, runs, Selection("frames")))
        assert [letter.body for letter in peek(settings, Selection("frames"))] == [b"one"]
        with client.get_queue_receiver("frames") as receiver:
            [copy] = receiver.receive_messages(1, max_wait_time=5)
    assert b"".join(copy.body) == b"one"


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
