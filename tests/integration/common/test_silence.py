"""A broker that does not answer: the worker notices within bounds, connects anew, and loses nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest
from azure.servicebus._pyamqp.sasl import SASLAnonymousCredential
from azure.servicebus.exceptions import OperationTimeoutError
from support.faults import DOWN, UP, Reset, Silence, SilentWhenIdle, SilentWhenNew
from support.proxy import BOTH, Direction, Fault, Link, Proxy
from support.queues import Queues, eventually

from framebrush.contracts import FrameRange, Incoming, Message, PackReady, SegmentPlanned
from framebrush.errors import Unavailable
from framebrush.messaging import Consumer, MessageSender, Worker, connect
from framebrush.messaging.transport import BoundedTransport
from framebrush.service import Settings

# The SDK leaves the sockets of broken connections to the garbage collector.
pytestmark = pytest.mark.slow

READY = PackReady(run_id="a", segment=7, frames=FrameRange(first=0, count=1), offsets=(0, 1024))
LIMIT = 60.0
"""Seconds in which the worker must be back at work."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits, but shorter."""
    monkeypatch.setattr("framebrush.messaging.heartbeat.INTERVAL", 2.0)
    for module in ("client", "heartbeat", "transport", "worker"):
        monkeypatch.setattr(f"framebrush.messaging.{module}.ANSWER", 3.0)


def planned(segment: int) -> SegmentPlanned:
    return SegmentPlanned(run_id="a", segment=segment)


@pytest.fixture
def proxy(queues: Queues) -> Iterator[Proxy]:
    proxy = Proxy(queues.process.ports["amqp"])
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def through(queues: Queues, proxy: Proxy) -> Settings:
    """Settings of a service that reaches the broker through the proxy."""
    direct, port = queues.process.connection_string, queues.process.ports["amqp"]
    return queues.settings(servicebus_connection_string=direct.replace(f":{port}", f":{proxy.port}"))


class Recorder:
    """A handler that notes what it gets, and hands one message on."""

    def __init__(self) -> None:
        self.seen = list[Incoming]()

    def __call__(self, message: Incoming) -> Iterator[Message]:
        self.seen.append(message)
        yield READY


@pytest.fixture
def work(through: Settings) -> Iterator[Callable[[Recorder], Worker]]:
    workers = list[Worker]()

    def start(handler: Recorder) -> Worker:
        worker = Worker([Consumer("splits", handler)], through)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.drain()


SILENCES: dict[str, Callable[[], Fault]] = {
    "both ways": lambda: Silence(Random(1)),
    "towards the broker": lambda: Silence(Random(1), UP),
    "towards the worker": lambda: Silence(Random(1), DOWN),
}


@pytest.mark.parametrize("name", SILENCES)
def test_a_worker_whose_connections_fall_silent_connects_anew(
    queues: Queues, proxy: Proxy, work: Callable[[Recorder], Worker], name: str
) -> None:
    handler = Recorder()
    worker = work(handler)
    eventually(lambda: worker.ready() is None)
    proxy.disturb(SILENCES[name])
    proxy.heal()
    eventually(lambda: worker.ready() == "not connected to splits", LIMIT)
    eventually(lambda: worker.ready() is None, LIMIT)
    queues.send(planned(1))
    eventually(lambda: planned(1) in handler.seen, LIMIT)
    eventually(lambda: queues.peek("frames") and not queues.peek("splits"), LIMIT)


def test_a_worker_whose_new_connections_are_never_answered_is_back_when_they_are(
    queues: Queues, proxy: Proxy, work: Callable[[Recorder], Worker]
) -> None:
    handler = Recorder()
    worker = work(handler)
    eventually(lambda: worker.ready() is None)
    fault = proxy.disturb(lambda: SilentWhenNew(Random(1)))
    eventually(lambda: worker.ready() == "not connected to splits", LIMIT)
    eventually(lambda: fault.hits > 2, LIMIT)
    proxy.heal()
    queues.send(planned(1))
    eventually(lambda: planned(1) in handler.seen, LIMIT)
    eventually(lambda: worker.ready() is None, LIMIT)


def test_a_worker_whose_connections_fall_silent_when_idle_is_back_when_they_do_not(
    queues: Queues, proxy: Proxy, work: Callable[[Recorder], Worker]
) -> None:
    handler = Recorder()
    worker = work(handler)
    eventually(lambda: worker.ready() is None)
    fault = proxy.disturb(lambda: SilentWhenIdle(0.0))
    eventually(lambda: fault.hits, LIMIT)
    proxy.heal()
    queues.send(planned(1))
    eventually(lambda: planned(1) in handler.seen, LIMIT)


def test_a_healthy_connection_without_messages_is_kept(
    proxy: Proxy, work: Callable[[Recorder], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = work(Recorder())
    eventually(lambda: worker.ready() is None)
    accepted = proxy.accepted
    end = time.monotonic() + 10
    while time.monotonic() < end:
        assert worker.ready() is None
        time.sleep(0.1)
    assert proxy.accepted == accepted


def test_a_message_in_hand_when_its_connection_falls_silent_is_settled_once(
    queues: Queues, proxy: Proxy, through: Settings
) -> None:
    begun, go, seen = threading.Event(), threading.Event(), list[Incoming]()

    def handler(message: Incoming) -> Iterator[Message]:
        seen.append(message)
        begun.set()
        go.wait(LIMIT)
        yield READY

    worker = Worker([Consumer("splits", handler)], through)
    worker.start()
    queues.send(planned(1))
    assert begun.wait(LIMIT)
    proxy.disturb(lambda: Silence(Random(1)))
    proxy.heal()
    go.set()
    eventually(lambda: not queues.peek("splits") and queues.peek("frames"), 2 * LIMIT)
    assert queues.peek("splits", dead=True) == []
    assert len(queues.peek("frames")) == 1
    worker.drain()


def test_what_is_sent_over_a_silent_connection_arrives_over_a_new_one(
    queues: Queues, proxy: Proxy, through: Settings
) -> None:
    with connect(through) as client, MessageSender(client) as sender:
        sender.open(["splits"])
        proxy.disturb(lambda: Silence(Random(1)))
        sender.send(planned(1))
        assert len(queues.peek("splits")) == 1


def test_sending_while_nothing_is_answered_fails(proxy: Proxy, through: Settings) -> None:
    proxy.disturb(lambda: SilentWhenNew(Random(1)))
    with connect(through) as client, MessageSender(client) as sender, pytest.raises(Unavailable):
        sender.send(planned(1))


class SilentWhenGreeted(Reset):
    """Connections are reset; new ones fall silent when the broker has let the client log in."""

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        await link.send(direction, data)
        if direction == "down" and b"\x00\x53\x44" in data:  # AMQP's sasl-outcome
            self.hits += 1
            link.silent = BOTH


def test_sending_over_a_connection_that_falls_silent_while_it_opens_fails(proxy: Proxy, through: Settings) -> None:
    with connect(through) as client, MessageSender(client) as sender:
        sender.open(["splits"])
        fault = proxy.disturb(lambda: SilentWhenGreeted(Random(1)))
        with pytest.raises(Unavailable):
            sender.send(planned(1))
        assert fault.hits


def test_a_tls_handshake_that_is_never_answered_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        transport = BoundedTransport("127.0.0.1", SASLAnonymousCredential(), port=port, ssl_opts={"ca_certs": None})
        with pytest.raises(TimeoutError):
            transport.connect()


def test_looking_into_a_queue_over_a_silent_connection_ends(proxy: Proxy, through: Settings) -> None:
    with connect(through) as client, client.get_queue_receiver("splits") as receiver:
        proxy.disturb(lambda: Silence(Random(1)))
        with pytest.raises(OperationTimeoutError):
            receiver.peek_messages(1)


def test_settling_over_a_silent_connection_ends(queues: Queues, proxy: Proxy, through: Settings) -> None:
    queues.send(planned(1))
    with connect(through) as client, client.get_queue_receiver("splits", timeout=3) as receiver:
        [received] = receiver.receive_messages(1, max_wait_time=10)
        proxy.disturb(lambda: Silence(Random(1)))
        with pytest.raises(OperationTimeoutError):
            receiver.complete_message(received)
