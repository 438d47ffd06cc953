"""Storage and queues as somebody outside of the services sees them, by the documented contracts alone."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.request import urlopen
from xml.etree import ElementTree as ET

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient

T = TypeVar("T")

INPUT, WORK, OUTPUT = "input", "work", "output"
AWAY = (AzureError, ServiceBusError, OSError)
"""What the clients raise when a backend is away."""
ENDED = ("succeeded", "failed", "cancelled")


def patiently(call: Callable[[], T], seconds: float = 60.0) -> T:
    """Call again while a backend is away.

    Raises:
        AzureError: storage stayed away, or there is no such blob.
        ServiceBusError: the broker stayed away.
        OSError: the broker's admin API stayed away.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except ResourceNotFoundError:
            raise
        except AWAY:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


class Blobs:
    """The storage account."""

    def __init__(self, connection_string: str) -> None:
        self._service = BlobServiceClient.from_connection_string(
            connection_string, retry_total=0, connection_timeout=2, read_timeout=15
        )
        for container in (INPUT, WORK, OUTPUT):
            self._service.create_container(container)

    def names(self, container: str, prefix: str = "") -> list[str]:
        """The names of all blobs that begin so."""
        client = self._service.get_container_client(container)
        return patiently(lambda: list(client.list_blob_names(name_starts_with=prefix)))

    def states(self, prefix: str) -> dict[str, str]:
        """The states of the runs whose ids begin so."""
        client, begin = self._service.get_container_client(WORK), "status/"
        blobs = patiently(lambda: list(client.list_blobs(name_starts_with=begin + prefix, include=["metadata"])))
        return {b.name.removeprefix(begin).removesuffix(".json"): (b.metadata or {}).get("state", "") for b in blobs}

    def status(self, run_id: str) -> dict[str, Any]:
        """A run's status; empty if there is none."""
        try:
            found: dict[str, Any] = json.loads(self.read(WORK, f"status/{run_id}.json"))
        except ResourceNotFoundError:
            return {}
        return found

    def claims(self) -> dict[str, str]:
        """The claims of outputs' names: blob → run id."""
        return {name: json.loads(self.read(WORK, name))["run_id"] for name in self.names(WORK, "outputs/")}

    def read(self, container: str, name: str) -> bytes:
        """A blob's content."""
        client = self._service.get_blob_client(container, name)
        return patiently(lambda: bytes(client.download_blob().readall()))

    def write(self, container: str, name: str, data: bytes) -> None:
        """Write a blob, over another if there is one."""
        client = self._service.get_blob_client(container, name)
        patiently(lambda: client.upload_blob(data, overwrite=True))

    def delete(self, container: str, names: Iterable[str]) -> None:
        """Delete blobs that may be gone already."""
        for name in names:
            try:
                patiently(self._service.get_blob_client(container, name).delete_blob)
            except ResourceNotFoundError:
                continue


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue holds."""

    active: int
    """Locked ones among them."""
    scheduled: int
    dead: int


class Queues:
    """The broker."""

    def __init__(self, connection_string: str, admin: str, names: Iterable[str]) -> None:
        self._connection_string, self._admin, self._names = connection_string, admin, tuple(names)

    def submit(self, run_id: str, blob: str, models: tuple[str, ...]) -> None:
        """Ask for a run."""
        request = {
            "version": 1,
            "kind": "run_request",
            "run_id": run_id,
            "input": {"container": INPUT, "name": blob},
            "options": {"model": models[0], "more_models": models[1:], "batch_frames": 4, "preset": "ultrafast"},
        }
        message = ServiceBusMessage(json.dumps(request), message_id=run_id, content_type="application/json")

        def send() -> None:
            with self._client() as client, client.get_queue_sender("triggers") as sender:
                sender.send_messages(message)

        patiently(send)

    def depths(self) -> dict[str, Depth]:
        """What every queue holds."""

        def ask(name: str) -> Depth:
            with urlopen(f"{self._admin}{name}?api-version=2021-05", timeout=15) as answer:
                counts = {e.tag.rpartition("}")[2]: e.text for e in ET.parse(answer).iter()}
            kinds = ("ActiveMessageCount", "ScheduledMessageCount", "DeadLetterMessageCount")
            return Depth(*(int(counts[kind] or 0) for kind in kinds))

        return {name: patiently(lambda name=name: ask(name)) for name in self._names}  # type: ignore[misc]

    def take_letters(self) -> list[str]:
        """All dead letters, as a person reads them; they are gone afterwards."""
        found = list[str]()
        for name, depth in self.depths().items():
            if not depth.dead:
                continue
            with (
                self._client() as client,
                client.get_queue_receiver(name, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
            ):
                while letters := receiver.receive_messages(100, max_wait_time=1):
                    for letter in letters:
                        why = f"{letter.dead_letter_reason}: {letter.dead_letter_error_description}"
                        found.append(f"{name}: {letter.message_id} delivered {letter.delivery_count}: {why}"[:1000])
                        receiver.complete_message(letter)
        return found

    def _client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self._connection_string, retry_total=1)
