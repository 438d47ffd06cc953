import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from framebrush.service import HealthServer, serve_health


@dataclass
class Service:
    url: str = ""
    server: HealthServer | None = None
    live: str | None = None
    ready: str | None = None

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    server = service.server = serve_health("127.0.0.1", 0, live=lambda: service.live, ready=lambda: service.ready)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield service
    server.shutdown()
    server.server_close()


def test_all_is_well(service: Service) -> None:
    assert service.get("/livez") == (200, "ok\n")
    assert service.get("/readyz") == (200, "ok\n")


def test_a_problem_is_told(service: Service) -> None:
    service.ready = "not connected to batches"
    assert service.get("/readyz") == (503, "not connected to batches\n")
    assert service.get("/livez") == (200, "ok\n")
    service.live = "a consumer thread died"
    assert service.get("/livez?verbose") == (503, "a consumer thread died\n")


def test_metrics_can_be_parsed(service: Service) -> None:
    status, text = service.get("/metrics")
    assert status == 200
    assert "python_info" in {family.name for family in text_string_to_metric_families(text)}


def test_other_paths_name_the_right_ones(service: Service) -> None:
    assert service.get("/") == (404, "/metrics, /livez or /readyz\n")


def read_since(service: Service, moment: float, seconds: float = 0.0) -> bool:
    assert service.server is not None
    return service.server.wait_read(moment, seconds)


def test_it_remembers_when_metrics_were_read(service: Service) -> None:
    before = time.monotonic()
    assert read_since(service, float("-inf")), "a service that has counted nothing waits for nobody"
    service.get("/readyz")
    assert not read_since(service, before)
    service.get("/metrics")
    assert read_since(service, before, 5)
    assert not read_since(service, time.monotonic())


def test_who_waits_for_a_reader_goes_on_as_soon_as_there_was_one(service: Service) -> None:
    now, done = time.monotonic(), list[bool]()
    waiting = threading.Thread(target=lambda: done.append(read_since(service, now, 60)))
    waiting.start()
    service.get("/metrics")
    waiting.join(20)
    assert done == [True]


def test_who_waits_in_vain_waits_no_longer_than_it_said(service: Service) -> None:
    now = time.monotonic()
    assert not read_since(service, now, 0.2)
    assert 0.2 <= time.monotonic() - now < 10


def test_a_port_that_is_taken(service: Service) -> None:
    with pytest.raises(OSError, match="in use"):
        serve_health("127.0.0.1", int(service.url.rpartition(":")[2]), live=lambda: None, ready=lambda: None)


def test_a_reader_that_hangs_up_leaves_no_trace(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    """A log of a service has one JSON object in each line, and nothing else."""
    before = threading.active_count()
    host, port = service.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as reader:
            reader.sendall(b"GET /metrics HTTP/1.1\r\n")
            # Zero seconds to linger: the connection is reset and not closed.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    service.get("/livez")  # requests are taken in turn: all of the others are begun now
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert capfd.readouterr().err == ""
