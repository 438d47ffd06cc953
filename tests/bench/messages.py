"""Messages per second through the local broker, with the real SDK."""

import multiprocessing
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender

from framebrush_broker.testing import running_broker

PROCESSES = 2


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


def _hold(connection: str, count: int, ready: Connection) -> None:
    """Open so many connections, say so, and hold them until this process is killed."""

    def opened(_: int) -> ServiceBusSender:
        return ServiceBusClient.from_connection_string(connection).get_queue_sender("idle").__enter__()

    with ThreadPoolExecutor(32) as pool:
        held = list(pool.map(opened, range(count)))
    ready.send(len(held))
    time.sleep(3600)


@contextmanager
def idle(spawn: SpawnContext, connection: str, count: int) -> Iterator[None]:
    """So many further connections, in a process of their own.

    The SDK takes up to ten seconds to close one that has idled: the process is killed instead, which closes them all.
    """
    ready, tell = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_hold, args=(connection, count, tell), daemon=True)
    process.start()
    tell.close()
    try:
        if not ready.poll(120) or ready.recv() != count:
            raise TimeoutError(f"{count} connections were not open within 120 s")
        yield
    finally:
        process.kill()
        process.join()
        ready.close()


def throughput(count: int, connections: int) -> tuple[float, float]:
    """Messages per second sent, and received and completed, one by one, with further connections open."""
    spawn = multiprocessing.get_context("spawn")
    rates = []
    with (
        running_broker(arguments=["--queue", "bench", "--queue", "idle"]) as broker,
        idle(spawn, broker.connection_string, connections),
    ):
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
