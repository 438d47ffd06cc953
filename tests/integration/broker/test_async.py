"""The async client of azure-servicebus against the broker."""

import asyncio
import datetime

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient
from azure.servicebus.exceptions import MessagingEntityNotFoundError

from framebrush_broker.testing import BrokerProcess


def test_send_receive_and_every_settlement(broker: BrokerProcess, queue: str) -> None:
    async def main() -> None:
        async with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender(queue) as sender,
            client.get_queue_receiver(queue) as receiver,
            AutoLockRenewer() as renewer,
        ):
            batch = await sender.create_message_batch()
            for body in ("complete", "abandon", "defer", "dead-letter"):
                batch.add_message(ServiceBusMessage(body, application_properties={"k": body}))
            await sender.send_messages(batch)
            messages: list[ServiceBusReceivedMessage] = []
            while len(messages) < 4:
                messages += await receiver.receive_messages(4, max_wait_time=5)
            assert [m.application_properties for m in messages] == [{b"k": str(m).encode()} for m in messages]
            renewer.register(receiver, messages[0])
            assert await receiver.renew_message_lock(messages[0]) > datetime.datetime.now(datetime.UTC)
            await receiver.complete_message(messages[0])
            await receiver.abandon_message(messages[1])
            await receiver.defer_message(messages[2])
            await receiver.dead_letter_message(messages[3], reason="r", error_description="d")

            [again] = await receiver.receive_messages(max_wait_time=5)
            assert (str(again), again.delivery_count) == ("abandon", 1)
            await receiver.complete_message(again)
            assert messages[2].sequence_number
            [deferred] = await receiver.receive_deferred_messages(messages[2].sequence_number)
            await receiver.complete_message(deferred)
            async with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
                [message] = await dead.receive_messages(max_wait_time=5)
                assert (message.dead_letter_reason, message.dead_letter_error_description) == ("r", "d")
                await dead.complete_message(message)
            assert await receiver.peek_messages(9, sequence_number=1) == []

    asyncio.run(main())


def test_schedule_and_cancel(broker: BrokerProcess, queue: str) -> None:
    async def main() -> None:
        async with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender(queue) as sender,
            client.get_queue_receiver(queue, prefetch_count=5) as receiver,
        ):
            due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
            numbers = await sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
            await sender.cancel_scheduled_messages(numbers[0])
            async for message in receiver:
                assert str(message) == "b"
                await receiver.complete_message(message)
                break

    asyncio.run(main())


def test_an_unknown_queue(broker: BrokerProcess) -> None:
    async def main() -> str:
        async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
            try:
                async with client.get_queue_sender("missing") as sender:
                    await sender.send_messages(ServiceBusMessage("a"))
            except MessagingEntityNotFoundError as error:
                return str(error)
        return "sent"

    assert "'missing' could not be found" in asyncio.run(main())


def test_two_hundred_connections(broker: BrokerProcess, queue: str) -> None:
    """200 receivers wait, each on a connection of its own, and share 400 messages."""

    async def main() -> None:
        async with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender(queue) as sender,
        ):
            receivers = [client.get_queue_receiver(queue) for _ in range(200)]
            await asyncio.gather(*(receiver.__aenter__() for receiver in receivers))
            sent = [str(number) for number in range(400)]
            await sender.send_messages([ServiceBusMessage(body) for body in sent])

            async def take(receiver: object) -> list[str]:
                bodies = []
                for _ in range(2):
                    for message in await receiver.receive_messages(max_wait_time=30):  # type: ignore[attr-defined]
                        bodies.append(str(message))
                        await receiver.complete_message(message)  # type: ignore[attr-defined]
                return bodies

            shares = await asyncio.gather(*(take(receiver) for receiver in receivers))
            await asyncio.gather(*(receiver.close() for receiver in receivers))
            assert sorted((body for share in shares for body in share), key=int) == sent
            assert all(len(share) == 2 for share in shares)

    asyncio.run(main())
