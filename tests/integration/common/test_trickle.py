"""Storage whose responses come a few bytes at a time."""

import uuid
from collections.abc import Iterator
from random import Random

import pytest
from support.faults import Trickle
from support.proxy import Proxy

from framebrush.contracts import BlobRef
from framebrush.errors import Unavailable
from framebrush.storage import AzureBlobs, StorageSettings


@pytest.fixture
def proxy(azurite: str) -> Iterator[Proxy]:
    proxy = Proxy(port(azurite), http=True)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def blobs(azurite: str, proxy: Proxy) -> AzureBlobs:
    through = azurite.replace(f":{port(azurite)}/", f":{proxy.port}/")
    return AzureBlobs(StorageSettings.model_validate({"storage_connection_string": through}))


@pytest.fixture
def ref(blobs: AzureBlobs) -> BlobRef:
    ref = BlobRef(container=f"trickle-{uuid.uuid4().hex[:12]}", name="blob")
    blobs.create_containers([ref.container])
    blobs.write(ref, Random(1).randbytes(600_000))
    return ref


def port(connection_string: str) -> int:
    return int(connection_string.partition("127.0.0.1:")[2].partition("/")[0])


@pytest.mark.slow
def test_a_response_that_goes_on_for_ever_is_given_up(
    blobs: AzureBlobs, ref: BlobRef, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebrush.storage.transport.GRACE", 1.0)
    monkeypatch.setattr("framebrush.storage.transport.SPEED", 10_000_000)
    proxy.disturb(lambda: Trickle(20_000))
    with pytest.raises(Unavailable):
        blobs.read(ref)
    proxy.heal()
    assert blobs.read(ref) == Random(1).randbytes(600_000)


def test_a_response_that_is_slow_but_fast_enough_is_read(
    blobs: AzureBlobs, ref: BlobRef, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebrush.storage.transport.GRACE", 1.0)
    monkeypatch.setattr("framebrush.storage.transport.SPEED", 50_000)
    proxy.disturb(lambda: Trickle(200_000))
    assert blobs.read(ref) == Random(1).randbytes(600_000)
