"""One broker for all tests of this folder, each test with queues of its own."""

import gc
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient
from azure.servicebus.management import ServiceBusAdministrationClient

from framebrush_broker.testing import BrokerProcess, running_broker

MakeQueue = Callable[..., str]


@pytest.fixture(autouse=True)
def _collect_garbage() -> Iterator[None]:
    """Keep what a test left to the garbage collector from warning in another test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def broker(certificate: Path) -> Iterator[BrokerProcess]:
    with running_broker(arguments=[f"--cert={certificate}"]) as process:
        yield process


@pytest.fixture(scope="session")
def admin(broker: BrokerProcess, certificate: Path) -> Iterator[ServiceBusAdministrationClient]:
    with ServiceBusAdministrationClient.from_connection_string(
        broker.admin_connection_string, connection_verify=str(certificate)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def _names() -> Iterator[str]:
    return (f"queue-{number}" for number in itertools.count())


@pytest.fixture
def make_queue(admin: ServiceBusAdministrationClient, _names: Iterator[str]) -> MakeQueue:
    """Create a queue with the options of `ServiceBusAdministrationClient.create_queue`; returns its name."""

    def make(**options: object) -> str:
        return str(admin.create_queue(next(_names), **options).name)  # type: ignore[arg-type]

    return make


@pytest.fixture
def queue(make_queue: MakeQueue) -> str:
    return make_queue()


@pytest.fixture
def client(broker: BrokerProcess) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client
