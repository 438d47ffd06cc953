"""The admin API: the SDK's administration client over HTTPS, and plain HTTP as KEDA asks it."""

import datetime
import re
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError, ServiceRequestError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from framebrush_broker.testing import BrokerProcess, running_broker

MakeQueue = Callable[..., str]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def active(broker: BrokerProcess, queue: str) -> int:
    """Read what KEDA scales on."""
    document = get(f"{broker.admin_url}/{queue}?api-version=2021-05")
    found = re.search(r"ActiveMessageCount>(\d+)<", document)
    assert found, document
    return int(found[1])


def test_create_get_update_delete(admin: ServiceBusAdministrationClient) -> None:
    admin.create_queue(
        "admin-queue",
        lock_duration=datetime.timedelta(minutes=2),
        max_delivery_count=3,
        default_message_time_to_live="P1DT2H",
        dead_lettering_on_message_expiration=True,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window="PT5M",
        max_size_in_megabytes=5,
    )
    properties = admin.get_queue("admin-queue")
    assert properties.lock_duration == datetime.timedelta(minutes=2)
    assert properties.default_message_time_to_live == datetime.timedelta(hours=26)
    assert properties.duplicate_detection_history_time_window == datetime.timedelta(minutes=5)
    assert (properties.max_delivery_count, properties.max_size_in_megabytes) == (3, 5)
    assert properties.dead_lettering_on_message_expiration is True
    assert properties.requires_duplicate_detection is True

    properties.max_delivery_count = 9
    admin.update_queue(properties)
    assert admin.get_queue("Admin-Queue").max_delivery_count == 9
    with pytest.raises(ResourceExistsError, match="admin-queue exists already"):
        admin.create_queue("admin-queue")
    admin.delete_queue("admin-queue")
    for call in (admin.get_queue, admin.get_queue_runtime_properties, admin.delete_queue):
        with pytest.raises(ResourceNotFoundError, match="'admin-queue' could not be found"):
            call("admin-queue")


def test_defaults_are_those_of_the_service(admin: ServiceBusAdministrationClient, queue: str) -> None:
    properties = admin.get_queue(queue)
    assert properties.lock_duration == datetime.timedelta(seconds=60)
    assert (properties.max_delivery_count, properties.max_size_in_megabytes) == (10, 1024)
    assert not properties.requires_duplicate_detection
    assert not properties.dead_lettering_on_message_expiration
    assert isinstance(properties.default_message_time_to_live, datetime.timedelta)
    assert properties.default_message_time_to_live.days == 10675199  # .NET's longest TimeSpan: never


def test_list_pages_through_all_queues(admin: ServiceBusAdministrationClient, make_queue: MakeQueue) -> None:
    made = {make_queue() for _ in range(105)}
    names = [properties.name for properties in admin.list_queues()]
    assert made <= set(names)
    assert len(names) == len(set(names))
    assert {properties.name for properties in admin.list_queues_runtime_properties()} == set(names)


def test_runtime_properties(
    admin: ServiceBusAdministrationClient, client: ServiceBusClient, queue: str, broker: BrokerProcess
) -> None:
    before = datetime.datetime.now(datetime.UTC)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage("12345") for _ in range(5)])
        sender.schedule_messages(ServiceBusMessage("later"), before + datetime.timedelta(hours=1))
        first, second, _ = receiver.receive_messages(3, max_wait_time=5)
        receiver.dead_letter_message(first)
        receiver.defer_message(second)
        properties = admin.get_queue_runtime_properties(queue)
        assert properties.active_message_count == active(broker, queue) == 3  # one of them locked
        assert (properties.dead_letter_message_count, properties.scheduled_message_count) == (1, 1)
        assert (properties.total_message_count, properties.transfer_message_count) == (6, 0)
        assert properties.size_in_bytes
        assert properties.size_in_bytes > 30
        assert properties.created_at_utc
        assert properties.accessed_at_utc
        assert properties.created_at_utc < before <= properties.accessed_at_utc


def test_locked_messages_are_not_counted_on_demand() -> None:
    with (
        running_broker(["q"], arguments=["--no-count-locked"]) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q") as receiver,
    ):
        sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        receiver.receive_messages(max_wait_time=5)
        assert active(broker, "q") == 1


def test_namespace(admin: ServiceBusAdministrationClient) -> None:
    assert admin.get_namespace_properties().messaging_sku == "Standard"


def test_topics_are_refused_or_empty(admin: ServiceBusAdministrationClient) -> None:
    assert list(admin.list_topics()) == []
    with pytest.raises(HttpResponseError, match="queues only"):
        admin.create_topic("topic")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lock_duration": "PT6M"}, "at most 300"),
        ({"max_delivery_count": 0}, "max_delivery_count is 0"),
        ({"requires_session": True}, "no RequiresSession"),
        ({"enable_partitioning": True}, "no EnablePartitioning"),
    ],
)
def test_options_that_cannot_be_are_refused(
    admin: ServiceBusAdministrationClient, options: dict[str, object], said: str
) -> None:
    with pytest.raises(HttpResponseError, match=said):
        admin.create_queue("refused", **options)  # type: ignore[arg-type]
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("refused")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/missing", b"", 404),
        ("PUT", "/q", b"<nonsense", 400),
        ("PUT", "/$bad", b"", 400),
        ("DELETE", "/", b"", 404),
        ("GET", "/$Resources/queues?$skip=x", b"", 400),
    ],
)
def test_bad_requests(broker: BrokerProcess, method: str, path: str, body: bytes, status: int) -> None:
    request = urllib.request.Request(broker.admin_url + path, data=body or None, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as error:
        assert error.code == status
        assert "<Detail>" in error.read().decode()


def test_a_client_that_does_not_trust_the_certificate_is_told_so(broker: BrokerProcess) -> None:
    with (
        ServiceBusAdministrationClient.from_connection_string(broker.admin_connection_string, retry_total=0) as client,
        pytest.raises(ServiceRequestError, match="certificate verify failed"),
    ):
        client.get_queue("q")


def test_deleting_a_queue_detaches_its_users(
    admin: ServiceBusAdministrationClient, client: ServiceBusClient, queue: str
) -> None:
    with client.get_queue_receiver(queue) as receiver:
        admin.delete_queue(queue)
        with pytest.raises(ServiceBusError, match=f"'{queue}' has been deleted"):
            receiver.receive_messages(max_wait_time=5)
