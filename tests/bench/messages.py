"""Messages per second through the local broker, with the real SDK."""

import multiprocessing
import time
import uuid
from contextlib import ExitStack

from azure.servicebus import ServiceBusClient, ServiceBusMessage

from framebrush_broker.testing import running_broker

PROCESSES, CONNECTIONS = 2, 200


def _send(connection: str, count: int) -> None:
    with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_sender("bench") as sender:
        for _ in range(count):
            sender.send_messages(ServiceBusMessage(b"x" * 300, message_id=uuid.uuid4().hex))


def _receive(connection: str, count: int) -> None:
    with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_receiver("bench") as receiver:
        done = 0
        while done < count:
            for message in receiver.receive_messages(min(50, count - done), max_wait_time=5):
                receiver.complete_message(message)
                done += 1


def throughput(count: int) -> tuple[float, float]:
    """Messages per second sent, and received and completed, one by one, with 200 further connections open."""
    spawn = multiprocessing.get_context("spawn")
    rates = []
    with running_broker(arguments=["--queue", "bench", "--queue", "idle"]) as broker, ExitStack() as stack:
        for _ in range(CONNECTIONS):
            client = stack.enter_context(ServiceBusClient.from_connection_string(broker.connection_string))
            stack.enter_context(client.get_queue_sender("idle"))
        for task in (_send, _receive):
            with spawn.Pool(PROCESSES) as pool:
                pool.map(_warm, range(PROCESSES))
                started = time.perf_counter()
                pool.starmap(task, [(broker.connection_string, count // PROCESSES)] * PROCESSES)
                rates.append(count / (time.perf_counter() - started))
    return rates[0], rates[1]


def _warm(_: int) -> None:
    """Import everything before the clock runs."""
    time.sleep(0.2)
