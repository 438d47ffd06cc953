"""How a service ends, with the dispatcher as an example."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.storage.blob import BlobServiceClient, ResourceTypes, generate_account_sas
from support.queues import eventually

from framebrush.contracts import BatchReady, FrameRange, Message, PackReady
from framebrush.messaging import ATTEMPTS, MessageSender, connect, number_property
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.local import free_ports

READY = PackReady(run_id="nobody", segment=0, frames=FrameRange(first=0, count=1), offsets=(0, 1024))
"""Of no run: handled by passing it over."""


class Service:
    """The process of a service, the dispatcher by default."""

    def __init__(
        self, settings: Settings, linger: float, log: Path, name: str = "dispatcher", *, fit: bool = True, **more: str
    ) -> None:
        [port] = free_ports(1)
        self.url, self.log = f"http://127.0.0.1:{port}", log
        environment = {
            "FRAMEBRUSH_STORAGE_CONNECTION_STRING": settings.storage_connection_string,
            "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": settings.servicebus_connection_string,
        }
        variables = {name: secret.get_secret_value() for name, secret in environment.items() if secret is not None} | {
            "FRAMEBRUSH_WORK_CONTAINER": settings.work_container,
            "FRAMEBRUSH_HTTP_HOST": "127.0.0.1",
            "FRAMEBRUSH_HTTP_PORT": str(port),
            "FRAMEBRUSH_METRICS_LINGER": str(linger),
            **{f"FRAMEBRUSH_{name.upper()}": value for name, value in more.items()},
        }
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
        with log.open("wb") as output:
            command = [sys.executable, "-m", f"framebrush_{name}"]
            self.process = subprocess.Popen(command, env=foreign | variables, stdout=output, stderr=subprocess.STDOUT)
        if fit:
            eventually(lambda: self.get("/readyz") == "ok\n", 60)

    def get(self, path: str) -> str:
        """What the service answers, whatever its status; nothing if it is not there, or ends meanwhile."""
        try:
            connection = HTTPConnection(urlsplit(self.url).netloc, timeout=5)
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except (OSError, HTTPException):
            return ""

    def completed(self) -> bool:
        """Asks for the metrics."""
        return 'framebrush_messages_total{outcome="completed",queue="frames"} 1.0\n' in self.get("/metrics")

    def says(self, text: str) -> bool:
        return any(text in json.loads(line)["message"] for line in self.log.read_text().splitlines(keepends=True))


Start = Callable[[float], Service]
"""Starts a service that lingers for so many seconds."""


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    started = list[Service]()

    def begin(linger: float) -> Service:
        started.append(Service(settings, linger, tmp_path / "dispatcher.log"))
        return started[-1]

    yield begin
    for service in started:
        service.process.kill()
        service.process.wait(10)


@pytest.fixture
def handled(settings: Settings, start: Start) -> Start:
    """Starts one that has handled a message."""

    def begin(linger: float) -> Service:
        service = start(linger)
        with (
            connect(settings) as client,
            MessageSender(client) as sender,
            client.get_queue_receiver("frames") as receiver,
        ):
            sender.send(READY)
            eventually(lambda: service.says("handled") and not receiver.peek_messages(1))
        return service

    return begin


def test_a_drained_service_stays_until_its_last_counts_are_read(handled: Start) -> None:
    service = handled(100.0)
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: service.says("waiting for the last counts"))
    assert service.get("/readyz") == "draining\n"
    assert service.get("/livez") == "ok\n"
    assert service.process.poll() is None
    assert service.completed()
    assert service.process.wait(20) == 0
    assert service.says("ended")
    assert not service.says("nobody read")


def test_it_does_not_stay_when_they_were_read_before(handled: Start) -> None:
    service = handled(100.0)
    eventually(service.completed)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(90) == 0
    assert not service.says("waiting for the last counts")


def test_it_does_not_stay_for_ever(handled: Start) -> None:
    service = handled(0.5)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(90) == 0
    assert service.says("nobody read the last counts from /metrics within 0.5 s")


def test_a_service_that_counted_nothing_does_not_stay(start: Start) -> None:
    service = start(100.0)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(90) == 0
    assert not service.says("waiting for the last counts")


Unready = Callable[..., Service]


@pytest.fixture
def launch(settings: Settings, tmp_path: Path) -> Iterator[Unready]:
    """Starts a service: ``launch(name="dispatcher", fit=True, **variables)``; ``fit`` waits until it is ready."""
    started = list[Service]()

    def begin(name: str = "dispatcher", *, fit: bool = True, **variables: str) -> Service:
        log = tmp_path / f"{name}-{len(started)}.log"
        started.append(Service(settings, 0.0, log, name, fit=fit, **variables))
        return started[-1]

    yield begin
    for service in started:
        service.process.kill()
        service.process.wait(10)


def send(settings: Settings, *messages: Message) -> None:
    with connect(settings) as client, MessageSender(client) as sender:
        for message in messages:
            sender.send(message)


def waiting(settings: Settings, queue: str = "frames") -> list[ServiceBusReceivedMessage]:
    with connect(settings) as client, client.get_queue_receiver(queue) as receiver:
        return receiver.peek_messages(100, sequence_number=1)


def letters(settings: Settings) -> list[ServiceBusReceivedMessage]:
    dead = ServiceBusSubQueue.DEAD_LETTER
    with connect(settings) as client, client.get_queue_receiver("frames", sub_queue=dead) as receiver:
        return receiver.peek_messages(100, sequence_number=1)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [({"work_container": "misspelt"}, "there is no container misspelt"), ({}, "authenticate")],
    ids=["container", "key"],
)
def test_a_service_that_storage_is_not_open_to_takes_no_message(
    settings: Settings, launch: Unready, variables: dict[str, str], reason: str
) -> None:
    send(settings, READY)
    if not variables:
        assert settings.storage_connection_string is not None
        secret = settings.storage_connection_string.get_secret_value()
        variables = {"storage_connection_string": re.sub("AccountKey=[^;]*", "AccountKey=cm90YXRlZA==", secret)}
    service = launch(fit=False, **variables)
    assert service.process.wait(60) == 1
    assert f"cannot start: storage: {variables.get('work_container', '')}" in service.log.read_text()
    assert reason in service.log.read_text()
    (message,) = waiting(settings)
    assert (message.message_id, message.delivery_count) == (READY.message_id, 0)


def test_a_service_whose_model_cannot_be_loaded_takes_no_message(settings: Settings, launch: Unready) -> None:
    frames = FrameRange(first=0, count=1)
    send(settings, BatchReady(run_id="nobody", segment=0, frames=frames, pack=frames, start=0, length=1))
    service = launch("scorer", fit=False, default_model="nobody-has-it")
    assert service.process.wait(120) == 1
    assert "cannot start: unknown model 'nobody-has-it'" in service.log.read_text()
    (message,) = waiting(settings, "batches")
    assert message.delivery_count == 0


def test_a_deleted_work_container_costs_no_message(settings: Settings, launch: Unready) -> None:
    service = launch()
    assert settings.storage_connection_string is not None
    secret = settings.storage_connection_string.get_secret_value()
    with BlobServiceClient.from_connection_string(secret) as storage:
        storage.delete_container(settings.work_container)
    seen = set[str]()
    send(settings, READY)
    eventually(lambda: seen.add(service.get("/readyz")) or service.process.poll() is not None)
    assert service.process.wait(30) == 1
    assert any(answer.startswith("unfit: storage: ") and "there is no container" in answer for answer in seen), seen
    assert "unfit: storage: " in service.log.read_text()
    (message,) = waiting(settings)
    assert (message.message_id, number_property(message, ATTEMPTS)) == (f"{READY.message_id}~1", 0)
    AzureBlobs(settings).create_containers([settings.work_container])
    restarted = launch()
    eventually(lambda: restarted.says("handled") and not waiting(settings))
    assert letters(settings) == []


def test_a_key_that_is_refused_for_a_while_costs_no_message(settings: Settings, launch: Unready) -> None:
    """With signatures, which end by themselves."""
    assert settings.storage_connection_string is not None
    parts = dict(part.split("=", 1) for part in settings.storage_connection_string.get_secret_value().split(";")[:-1])

    def signed(seconds: float) -> str:
        signature = generate_account_sas(
            parts["AccountName"], parts["AccountKey"], ResourceTypes(container=True, object=True), "rwdlac",
            expiry=datetime.now(UTC) + timedelta(seconds=seconds),
        )  # fmt: skip
        return f"BlobEndpoint={parts['BlobEndpoint']};SharedAccessSignature={signature}"

    service = launch(storage_connection_string=signed(12.0))
    eventually(lambda: "authenticat" in service.get("/readyz").lower() or "signature" in service.get("/readyz").lower())
    many = [READY.model_copy(update={"segment": number}) for number in range(6)]
    send(settings, *many)
    assert service.process.wait(60) == 1
    refused = launch(fit=False, storage_connection_string=signed(-60.0))
    assert refused.process.wait(60) == 1
    assert len(waiting(settings)) == 6
    launch(storage_connection_string=signed(3600.0))
    eventually(lambda: not waiting(settings))
    assert letters(settings) == []
