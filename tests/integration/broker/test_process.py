"""The broker as a process: what outlives it, how it ends, what it refuses to start with, TLS."""

import datetime
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import proton
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError
from proton.utils import BlockingConnection

from framebrush_broker.testing import BrokerProcess, running_broker


def client_of(broker: BrokerProcess) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)


def cpu_time_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_everything_survives_a_kill(tmp_path: Path) -> None:
    queues = tmp_path / "queues.toml"
    queues.write_text("[queues.q]\nmax_delivery_count = 3\nduplicate_detection_window_s = 600\n")
    with running_broker(arguments=[f"--queues={queues}"], data=tmp_path / "data.db") as broker:
        with client_of(broker) as client, client.get_queue_sender("q") as sender, client.get_queue_receiver("q") as r:
            for body in ("completed", "dead", "deferred", "abandoned", "locked", "waiting"):
                sender.send_messages(ServiceBusMessage(body, message_id=body, application_properties={"k": body}))
            due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=8)
            sender.schedule_messages(ServiceBusMessage("scheduled", message_id="scheduled"), due)
            messages = {str(message): message for message in r.receive_messages(5, max_wait_time=5)}
            r.complete_message(messages["completed"])
            r.dead_letter_message(messages["dead"], "why")
            r.defer_message(messages["deferred"])
            r.abandon_message(messages["abandoned"])
            broker.kill()
        broker.restart()
        with client_of(broker) as client, client.get_queue_sender("q") as sender, client.get_queue_receiver("q") as r:
            sender.send_messages(ServiceBusMessage("again", message_id="completed"))  # a duplicate still
            sender.send_messages(ServiceBusMessage("new"))
            after = [(str(m), m.sequence_number, m.delivery_count) for m in r.receive_messages(9, max_wait_time=2)]
            assert after == [("abandoned", 4, 1), ("locked", 5, 0), ("waiting", 6, 0), ("new", 8, 0)]
            [scheduled] = r.receive_messages(max_wait_time=20)
            assert (str(scheduled), scheduled.sequence_number) == ("scheduled", 9)
            assert datetime.datetime.now(datetime.UTC) >= due
            [deferred] = r.receive_deferred_messages(3)
            assert (str(deferred), deferred.application_properties) == ("deferred", {b"k": b"deferred"})
            with client.get_queue_receiver("q", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
                [message] = dead.receive_messages(max_wait_time=5)
                assert (str(message), message.sequence_number, message.dead_letter_reason) == ("dead", 2, "why")


def test_a_stop_is_no_failed_delivery(tmp_path: Path) -> None:
    with running_broker(["q"], data=tmp_path / "data.db") as broker:
        with client_of(broker) as client, client.get_queue_sender("q") as sender, client.get_queue_receiver("q") as r:
            sender.send_messages(ServiceBusMessage("a"))
            assert r.receive_messages(max_wait_time=5)
            assert broker.stop() == 0
        broker.restart()
        with client_of(broker) as client, client.get_queue_receiver("q") as r:
            assert [(str(m), m.delivery_count) for m in r.receive_messages(max_wait_time=5)] == [("a", 0)]


def test_nothing_acknowledged_is_lost_in_full_flight(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with running_broker(["q"], data=tmp_path / "data.db") as broker:

        def send() -> None:
            with client_of(broker) as client, client.get_queue_sender("q") as sender:
                for number in range(100_000):
                    sender.send_messages(ServiceBusMessage(str(number)))
                    acknowledged.append(str(number))

        def until_killed() -> None:
            with pytest.raises(ServiceBusError):
                send()

        thread = threading.Thread(target=until_killed)
        thread.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        broker.kill()
        thread.join(60)
        broker.restart()
        with client_of(broker) as client, client.get_queue_receiver("q") as receiver:
            kept: list[str] = []
            while page := receiver.peek_messages(500):
                kept += [str(message) for message in page]
    # The last message may have been kept without its acknowledgement getting out.
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1


def test_sigterm_ends_it_within_a_second_with_clients_connected() -> None:
    with running_broker(["q"]) as broker, client_of(broker) as client, client.get_queue_receiver("q"):
        start = time.monotonic()
        assert broker.stop() == 0
        assert time.monotonic() - start < 1


def test_idle_costs_nothing() -> None:
    with running_broker(["q"]) as broker, client_of(broker) as client, client.get_queue_receiver("q"):
        before = cpu_time_s(broker.pid)
        time.sleep(2)
        assert cpu_time_s(broker.pid) - before <= 0.1


def test_closed_connections_leave_nothing_in_memory() -> None:
    with running_broker(["q"]) as broker:
        sizes = []
        for _ in range(2):
            for _ in range(50):
                connection = BlockingConnection(f"amqp://127.0.0.1:{broker.ports['amqp']}", timeout=10)
                connection.create_sender("q").send(proton.Message(body="x"))
                receiver = connection.create_receiver("q")
                receiver.receive(10)
                receiver.accept()
                connection.close()  # without detaching the links first
            [line] = [x for x in Path(f"/proc/{broker.pid}/status").read_text().splitlines() if x.startswith("VmRSS")]
            sizes.append(int(line.split()[1]))
        assert sizes[1] - sizes[0] < 600, f"{sizes} kB after 50 and 100 connections"


def test_amqp_over_tls(broker: BrokerProcess, certificate: Path, queue: str) -> None:
    domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(str(certificate))
    domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER_NAME)
    connection = BlockingConnection(f"amqps://localhost:{broker.ports['amqps']}", ssl_domain=domain, timeout=10)
    connection.create_sender(queue).send(proton.Message(body="over TLS"))
    receiver = connection.create_receiver(queue)
    assert receiver.receive(10).body == "over TLS"
    receiver.accept()
    connection.close()


def test_nonsense_on_the_wire_harms_nobody(broker: BrokerProcess, queue: str) -> None:
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"AMQP\x03\x01\x00\x00" + b"\xff" * 1000, b""):
        with socket.create_connection(("127.0.0.1", broker.ports["amqp"]), 5) as noisy:
            noisy.sendall(noise)
            noisy.shutdown(socket.SHUT_WR)
            noisy.settimeout(5)
            while noisy.recv(4096):
                pass
    with client_of(broker) as client, client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("still here"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queue=$bad"], "'$bad' is no queue name"),
        (["--lock-duration=301", "--queue=q"], "lock_duration_s is 301.0"),
        (["--queues=missing.toml"], "Cannot read queues from missing.toml"),
        (["--data=/nowhere/data.db"], "Cannot use /nowhere/data.db"),
        (["--cert=missing.pem"], "No such file"),
        (["--host=192.0.2.1"], "192.0.2.1"),
        (["--busy=2"], "busy is 2.0; it must be a share"),
        (["--unkind=1", "--detach-idle=0"], "detach_idle_s is 0.0"),
    ],
)
def test_it_says_why_it_does_not_start(arguments: list[str], said: str) -> None:
    ports = ["--port=0", "--admin-port=0", "--tls-port=0", "--admin-tls-port=0"]
    command = [sys.executable, "-m", "framebrush_broker", *ports, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_named(broker: BrokerProcess) -> None:
    port = broker.ports["amqp"]
    command = [sys.executable, "-m", "framebrush_broker", f"--port={port}", "--admin-port=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert str(port) in done.stderr
