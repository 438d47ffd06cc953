"""How a service ends, with the dispatcher as an example."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.queues import eventually

from framebrush.contracts import FrameRange, PackReady
from framebrush.messaging import MessageSender, connect
from framebrush.service import Settings
from framebrush_cli.local import free_ports

READY = PackReady(run_id="nobody", segment=0, frames=FrameRange(first=0, count=1), offsets=(0, 1024))
"""Of no run: handled by passing it over."""


class Service:
    """A dispatcher process."""

    def __init__(self, settings: Settings, linger: float, log: Path) -> None:
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
        }
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
        with log.open("wb") as output:
            command = [sys.executable, "-m", "framebrush_dispatcher"]
            self.process = subprocess.Popen(command, env=foreign | variables, stdout=output, stderr=subprocess.STDOUT)
        eventually(lambda: self.get("/readyz") == "ok\n", 60)

    def get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())
        except OSError:
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
