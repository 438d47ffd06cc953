"""The SDK's queue tests, asked of the async client where it is code of its own: iteration, settling, reconnects."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    ServiceBusConnectionError,
    ServiceBusServerBusyError,
)

from framebrush_broker.testing import BrokerProcess, running_broker

MakeQueue = Callable[..., str]
SOON = 5
Scenario = Callable[[ServiceBusClient, ServiceBusSender, ServiceBusReceiver], Awaitable[None]]


@asynccontextmanager
async def client_of(broker: BrokerProcess, retries: int = 0) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=retries) as client:
        yield client


def play(broker: BrokerProcess, queue: str, scenario: Scenario, **options: object) -> None:
    """Run a scenario with a client, a sender and a receiver; `options` are the receiver's."""

    async def main() -> None:
        async with (
            client_of(broker) as client,
            client.get_queue_sender(queue) as sender,
            client.get_queue_receiver(queue, **options) as receiver,  # type: ignore[arg-type]
        ):
            await scenario(client, sender, receiver)

    asyncio.run(main())


async def receive(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < count:
        more = await receiver.receive_messages(count - len(messages), max_wait_time=SOON)
        assert more, f"got {len(messages)} of {count} messages"
        messages += more
    return messages


def test_iteration_abandons_and_ends(broker: BrokerProcess, queue: str) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        await sender.send_messages([ServiceBusMessage(body) for body in "0123456789"])
        counts = []
        async for message in receiver:
            counts.append(message.delivery_count)
            if message.delivery_count:
                await receiver.complete_message(message)
                with pytest.raises(MessageAlreadySettled):
                    await receiver.complete_message(message)
            else:
                await receiver.abandon_message(message)
        assert sorted(map(int, filter(None, counts))) == [1] * 10

    play(broker, queue, scenario, max_wait_time=1)


def test_receive_and_delete(broker: BrokerProcess, queue: str) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        await sender.send_messages([ServiceBusMessage(body) for body in "01234"])
        messages = await receive(receiver, 2)
        messages += [message async for message in receiver]
        assert [str(message) for message in messages] == list("01234")
        with pytest.raises(ValueError, match="RECEIVE_AND_DELETE"):
            await receiver.complete_message(messages[0])
        assert await receiver.peek_messages(5, sequence_number=1) == []

    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    play(broker, queue, scenario, receive_mode=mode, max_wait_time=1)


def test_deferred_and_dead_lettered(broker: BrokerProcess, queue: str) -> None:
    async def scenario(client: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        await sender.send_messages([ServiceBusMessage(body) for body in "abc"])
        numbers = []
        for message in await receive(receiver, 3):
            numbers.append(message.sequence_number or 0)
            await receiver.defer_message(message)
        async with client.get_queue_receiver(queue) as other:
            deferred = await other.receive_deferred_messages(numbers)
            assert [str(message) for message in deferred] == list("abc")
            await other.renew_message_lock(deferred[0])
            await other.complete_message(deferred[0])
            await other.dead_letter_message(deferred[1], reason="reason", error_description="description")
            await other.abandon_message(deferred[2])
            with pytest.raises(MessageNotFoundError):
                await other.receive_deferred_messages(numbers)
        async with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
            [message] = await receive(dead)
            assert (str(message), message.dead_letter_reason) == ("b", "reason")

    play(broker, queue, scenario)


def test_settled_over_the_management_link_after_a_detach(broker: BrokerProcess, queue: str) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        await sender.send_messages(ServiceBusMessage("a"))
        [message] = await receive(receiver)
        await receiver._handler._link.detach()  # type: ignore[union-attr]
        await receiver.complete_message(message)
        assert await receiver.peek_messages(5, sequence_number=1) == []

    play(broker, queue, scenario)


def test_locks_are_renewed_and_lost(broker: BrokerProcess, make_queue: MakeQueue) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        await sender.send_messages([ServiceBusMessage("renewed"), ServiceBusMessage("lost")])
        renewed, lost = await receive(receiver, 2)
        async with AutoLockRenewer(max_lock_renewal_duration=20) as renewer:
            renewer.register(receiver, renewed)
            await asyncio.sleep(3.2)
            await receiver.complete_message(renewed)
            with pytest.raises(MessageLockLostError):
                await receiver.complete_message(lost)
        [again] = await receive(receiver)
        assert (str(again), again.delivery_count) == ("lost", 1)

    play(broker, make_queue(lock_duration="PT3S"), scenario)


def test_scheduled_in_a_batch_and_cancelled(broker: BrokerProcess, queue: str) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        numbers = await sender.schedule_messages([ServiceBusMessage(str(number)) for number in range(20)], due)
        await sender.cancel_scheduled_messages(numbers[:19])
        assert [str(message) for message in await receiver.peek_messages(20)] == ["19"]
        with pytest.raises(MessageNotFoundError):
            await sender.cancel_scheduled_messages(numbers[0])

    play(broker, queue, scenario)


def test_sizes_and_bodies(broker: BrokerProcess, queue: str) -> None:
    async def scenario(_: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
        for large in (ServiceBusMessage("A" * 256 * 1024), [ServiceBusMessage("A" * 128 * 1024)] * 2):
            with pytest.raises(MessageSizeExceededError):
                await sender.send_messages(large)
        await sender.send_messages([ServiceBusMessage(None), ServiceBusMessage("a")])
        assert [message.body if message.body is None else str(message) for message in await receive(receiver, 2)] == [
            None,
            "a",
        ]

    play(broker, queue, scenario)


def test_closed_senders_and_receivers_say_so(broker: BrokerProcess, queue: str) -> None:
    async def main() -> None:
        async with client_of(broker) as client:
            async with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
                await sender.send_messages(ServiceBusMessage("a"))
                [message] = await receive(receiver)
            for attempt in (
                sender.send_messages(ServiceBusMessage("a")),
                receiver.receive_messages(),
                receiver.peek_messages(),
                receiver.complete_message(message),
            ):
                with pytest.raises(ValueError, match="shutdown"):
                    await attempt

    asyncio.run(main())


def test_faults_raise_what_they_raise_for_the_sync_client() -> None:
    async def main(broker: BrokerProcess) -> None:
        async with client_of(broker) as client, client.get_queue_receiver("q") as receiver:
            with pytest.raises(ServiceBusConnectionError, match="force detached"):
                await receiver.receive_messages(max_wait_time=20)

    async def busy(broker: BrokerProcess) -> None:
        async with (
            client_of(broker) as client,
            client.get_queue_sender("q") as sender,
            client.get_queue_receiver("q") as receiver,
        ):
            with pytest.raises(ServiceBusServerBusyError):
                await sender.send_messages(ServiceBusMessage("a"))
            with pytest.raises(ServiceBusServerBusyError):
                await receiver.receive_messages(max_wait_time=SOON)

    with running_broker(["q"], arguments=["--detach-idle=1"]) as broker:
        asyncio.run(main(broker))
    with running_broker(["q"], arguments=["--busy=1"]) as broker:
        asyncio.run(busy(broker))


def test_retries_go_on_through_idle_links() -> None:
    async def main(broker: BrokerProcess) -> None:
        async with client_of(broker, retries=5) as client, client.get_queue_sender("q") as sender:
            for pause in (0, 2, 4):
                await asyncio.sleep(pause)
                await sender.send_messages(ServiceBusMessage(str(pause)))
            async with client.get_queue_receiver("q") as receiver:
                assert [str(message) for message in await receive(receiver, 3)] == ["0", "2", "4"]

    with running_broker(["q"], arguments=["--detach-idle=1", "--close-idle=3"]) as broker:
        asyncio.run(main(broker))
