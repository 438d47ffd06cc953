import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from framebrush.health import serve_health


@dataclass
class Service:
    url: str = ""
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
    server = serve_health("127.0.0.1", 0, live=lambda: service.live, ready=lambda: service.ready)
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
    assert "framebrush_frames_in" in {family.name for family in text_string_to_metric_families(text)}


def test_other_paths_name_the_right_ones(service: Service) -> None:
    assert service.get("/") == (404, "/metrics, /livez or /readyz\n")


def test_a_port_that_is_taken(service: Service) -> None:
    with pytest.raises(OSError, match="in use"):
        serve_health("127.0.0.1", int(service.url.rpartition(":")[2]), live=lambda: None, ready=lambda: None)
