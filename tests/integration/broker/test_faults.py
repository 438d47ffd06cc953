"""The broker's faults, and what azure-servicebus makes of each: the errors it raises, and what its retries heal."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusConnectionError, ServiceBusError, ServiceBusServerBusyError

from framebrush_broker.testing import running_broker

SOON = 5
IDLE_S = 1.5
"""Long enough for a slow machine to open a link and receive over it."""


@contextmanager
def client_of_broker(*arguments: str, retries: int = 0) -> Iterator[ServiceBusClient]:
    """A client of a broker with these faults and a queue `q`; each retry follows after 50 ms or the SDK's own pause."""
    with (
        running_broker(["q"], arguments=arguments) as broker,
        ServiceBusClient.from_connection_string(
            broker.connection_string, retry_total=retries, retry_mode="fixed", retry_backoff_factor=0.05
        ) as client,
    ):
        yield client


def send(client: ServiceBusClient, *bodies: str) -> None:
    with client.get_queue_sender("q") as sender:
        for body in bodies:
            sender.send_messages(ServiceBusMessage(body, message_id=body))


def take(receiver: ServiceBusReceiver, count: int) -> list[str]:
    """Receive and complete exactly `count` messages, with no wait after the last."""
    bodies: list[str] = []
    while len(bodies) < count:
        for message in receiver.receive_messages(count - len(bodies), max_wait_time=SOON):
            bodies.append(str(message))
            receiver.complete_message(message)
    return bodies


def take_all(receiver: ServiceBusReceiver) -> list[str]:
    """Receive and complete until nothing comes any more."""
    bodies = []
    while messages := receiver.receive_messages(10, max_wait_time=1):
        for message in messages:
            bodies.append(str(message))
            receiver.complete_message(message)
    return bodies


def test_a_lost_settlement_delivers_a_completed_message_again() -> None:
    with client_of_broker("--lost-settlements=1", "--max-delivery-count=3") as client:
        send(client, "a")
        with client.get_queue_receiver("q") as receiver:
            for count in range(3):
                [message] = receiver.receive_messages(max_wait_time=SOON)
                assert message.delivery_count == count
                receiver.complete_message(message)  # says that it is done
            # A fault does not make a dead letter of a message that was completed each time.
            assert receiver.receive_messages(max_wait_time=0.5) == []
        with client.get_queue_receiver("q", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
            assert dead.peek_messages() == []


def test_messages_out_of_turn_all_arrive_once() -> None:
    sent = [str(number) for number in range(30)]
    with client_of_broker("--reordered=1") as client:
        send(client, *sent)
        with client.get_queue_receiver("q") as receiver:
            received = take_all(receiver)
    assert received != sent
    assert sorted(received, key=int) == sent


def orders_by_seed(seed: int) -> list[str]:
    with client_of_broker(f"--unkind={seed}", "--lost-settlements=0", "--busy=0", "--reordered=0.5") as client:
        send(client, *map(str, range(20)))
        with client.get_queue_receiver("q") as receiver:
            return take_all(receiver)


def test_a_seed_repeats_its_faults() -> None:
    first, again, other = orders_by_seed(1), orders_by_seed(1), orders_by_seed(2)
    assert first == again
    assert first != other


def test_forgotten_duplicates_arrive_twice(tmp_path: Path) -> None:
    queues = tmp_path / "queues.toml"
    queues.write_text("[queues.q]\nduplicate_detection_window_s = 600\n")
    for share, count in ((0, 1), (1, 2)):
        faults = (f"--queues={queues}", f"--forgotten-duplicates={share}")
        with client_of_broker(*faults) as client:
            send(client, "same", "same")
            with client.get_queue_receiver("q") as receiver:
                assert take_all(receiver) == ["same"] * count


def test_an_idle_receiver_is_detached_and_attaches_again() -> None:
    with client_of_broker(f"--detach-idle={IDLE_S}") as client, client.get_queue_receiver("q") as receiver:
        with pytest.raises(ServiceBusConnectionError, match="force detached") as caught:
            receiver.receive_messages(max_wait_time=20 * IDLE_S)
        assert "amqp:link:detach-forced" in str(caught.value)
        send(client, "a")
        assert take(receiver, 1) == ["a"]


def test_an_idle_sender_is_detached_and_attaches_again() -> None:
    with client_of_broker(f"--detach-idle={IDLE_S}") as client, client.get_queue_sender("q") as sender:
        sender.send_messages(ServiceBusMessage("a"))
        time.sleep(2 * IDLE_S)
        with pytest.raises(ServiceBusError):
            sender.send_messages(ServiceBusMessage("refused"))
        sender.send_messages(ServiceBusMessage("b"))
        with client.get_queue_receiver("q") as receiver:
            assert take(receiver, 2) == ["a", "b"]


def test_a_lock_does_not_outlive_the_receivers_link() -> None:
    with client_of_broker(f"--detach-idle={IDLE_S}") as client:
        send(client, "a")
        with client.get_queue_receiver("q") as receiver:
            [message] = receiver.receive_messages(max_wait_time=SOON)
            time.sleep(2 * IDLE_S)
            with pytest.raises(ServiceBusError):
                receiver.complete_message(message)
        with client.get_queue_receiver("q") as other:
            [again] = other.receive_messages(max_wait_time=SOON)
            assert again.delivery_count == 1


def test_an_idle_connection_is_closed_and_opened_again() -> None:
    with client_of_broker(f"--close-idle={IDLE_S}") as client, client.get_queue_receiver("q") as receiver:
        with pytest.raises(ServiceBusError) as caught:
            receiver.receive_messages(max_wait_time=20 * IDLE_S)
        assert "amqp:connection:forced" in str(caught.value)
        send(client, "a")
        assert take(receiver, 1) == ["a"]


def test_retries_heal_idle_links_and_connections() -> None:
    faults = (f"--detach-idle={IDLE_S}", f"--close-idle={3 * IDLE_S}")
    with client_of_broker(*faults, retries=5) as client, client.get_queue_sender("q") as sender:
        for pause in (0, 2 * IDLE_S, 4 * IDLE_S):
            time.sleep(pause)
            sender.send_messages(ServiceBusMessage(str(pause)))
        with client.get_queue_receiver("q") as receiver:
            assert take(receiver, 3) == ["0", f"{2 * IDLE_S}", f"{4 * IDLE_S}"]


def test_an_iteration_goes_on_through_a_detached_link() -> None:
    with client_of_broker(f"--detach-idle={IDLE_S}", retries=5) as client:
        send(client, *"abc")
        bodies = []
        with client.get_queue_receiver("q", max_wait_time=SOON) as receiver:
            for message in receiver:
                receiver.complete_message(message)
                bodies.append(str(message))
                if len(bodies) == 3:
                    break
                time.sleep(2 * IDLE_S)  # the link is detached meanwhile
    assert sorted(set(bodies)) == list("abc")


def test_a_working_link_is_not_idle() -> None:
    with (
        client_of_broker(f"--detach-idle={2 * IDLE_S}", f"--close-idle={2 * IDLE_S}") as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q") as receiver,
    ):
        end = time.monotonic() + 6 * IDLE_S
        while time.monotonic() < end:
            sender.send_messages(ServiceBusMessage("a"))
            for message in receiver.receive_messages(max_wait_time=SOON):
                receiver.complete_message(message)


def test_a_busy_broker_refuses_sends() -> None:
    with client_of_broker("--busy=1") as client, client.get_queue_sender("q") as sender:
        with pytest.raises(ServiceBusServerBusyError, match="server is busy"):
            sender.send_messages(ServiceBusMessage("a"))
        with pytest.raises(ServiceBusServerBusyError):
            sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        with pytest.raises(ServiceBusServerBusyError):
            sender.schedule_messages(ServiceBusMessage("a"), datetime.datetime.now(datetime.UTC))


def test_a_busy_broker_refuses_receives() -> None:
    with client_of_broker("--busy=1") as client, client.get_queue_receiver("q") as receiver:
        with pytest.raises(ServiceBusServerBusyError, match="server is busy"):
            receiver.receive_messages(max_wait_time=SOON)
        with pytest.raises(ServiceBusServerBusyError):
            receiver.peek_messages()


def test_retries_heal_a_broker_that_is_busy_now_and_then() -> None:
    sent = [str(number) for number in range(10)]
    with client_of_broker("--busy=0.3", retries=10) as client:
        send(client, *sent)
        with client.get_queue_receiver("q") as receiver:
            assert [str(message) for message in receiver.peek_messages(20)] == sent
            received: list[str] = []
            while len(received) < len(sent):
                for message in receiver.receive_messages(max_wait_time=SOON):
                    received.append(str(message))
                    receiver.complete_message(message)
    assert sorted(received, key=int) == sent
