"""What the services ask of storage, asked of the double and of Azurite: what holds for one must hold for the other."""

import base64
import io
import os
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import generate_container_sas
from prometheus_client import REGISTRY

from framebrush.contracts import BlobRef
from framebrush.errors import AccessDenied, BlobNotFound, Conflict, Unavailable, Unfit
from framebrush.storage import BLOCK, AzureBlobs, BlobReader, MemoryStore, StorageSettings, Store
from framebrush_cli.local import free_ports
from framebrush_cli.local.azurite import connection_string


@pytest.fixture(scope="session")
def blobs(azurite: str) -> AzureBlobs:
    store = azure(azurite, work_container=f"work-{uuid.uuid4().hex[:12]}")
    store.create_containers([store._work])
    return store


@pytest.fixture(params=["memory", "azurite"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("blobs")


@pytest.fixture
def container(store: Store) -> str:
    name = f"store-{uuid.uuid4().hex[:12]}"
    if isinstance(store, AzureBlobs):
        store.create_containers([name])
    return name


@pytest.fixture
def ref(container: str) -> BlobRef:
    return BlobRef(container=container, name="folder/a b/é.bin")


def test_what_is_written_can_be_read(store: Store, ref: BlobRef) -> None:
    for content in (b"content", b"", b"other content"):
        store.write(ref, content)
        assert store.read(ref) == content


def test_ranges(store: Store, ref: BlobRef) -> None:
    store.write(ref, b"0123456789")
    assert store.read(ref, 3, 4) == b"3456"
    assert store.read(ref, 3) == b"3456789"
    assert store.read(ref, 8, 5) == b"89"


def test_stat_tells_size_etag_time_and_metadata(store: Store, ref: BlobRef) -> None:
    etag = store.write(ref, b"content", metadata={"state": "running"})
    info = store.stat(ref)
    assert (info.ref, info.size, info.etag, dict(info.metadata)) == (ref, 7, etag, {"state": "running"})
    assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_write_replaces_metadata_and_etag(store: Store, ref: BlobRef) -> None:
    first = store.write(ref, b"content", metadata={"state": "running"})
    assert store.write(ref, b"content") != first
    assert dict(store.stat(ref).metadata) == {}


def test_a_write_for_one_version_fails_for_another(store: Store, ref: BlobRef) -> None:
    first = store.write(ref, b"one")
    second = store.write(ref, b"two", if_match=first)
    with pytest.raises(Conflict, match=r"é\.bin: changed by somebody else"):
        store.write(ref, b"three", if_match=first)
    assert store.read(ref) == b"two"
    assert store.stat(ref).etag == second


def test_a_write_for_a_version_fails_when_there_is_none(store: Store, ref: BlobRef) -> None:
    with pytest.raises(Conflict):
        store.write(ref, b"content", if_match='"0x8D"')


def test_a_first_write_fails_when_there_is_one(store: Store, ref: BlobRef) -> None:
    store.write(ref, b"one", if_absent=True)
    with pytest.raises(Conflict):
        store.write(ref, b"two", if_absent=True)
    assert store.read(ref) == b"one"


def test_of_many_first_writes_one_wins(store: Store, ref: BlobRef) -> None:
    def write(number: int) -> int | None:
        try:
            store.write(ref, str(number).encode(), if_absent=True)
        except Conflict:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(write, range(8)) if number is not None]
    assert [int(store.read(ref))] == won


def test_a_read_of_one_version_fails_for_another(store: Store, ref: BlobRef) -> None:
    first = store.write(ref, b"one")
    assert store.read(ref, etag=first) == b"one"
    assert store.read(ref, 1, 2, etag=first) == b"ne"
    store.write(ref, b"two")
    for start, length in ((0, None), (1, 2)):
        with pytest.raises(Conflict):
            store.read(ref, start, length, etag=first)


def test_what_is_appended_follows_what_is_there(store: Store, ref: BlobRef) -> None:
    for data in (b"one\n", b"two\n"):
        store.append(ref, data)
    assert store.read(ref) == b"one\ntwo\n"
    assert store.read(ref, 4) == b"two\n"


def test_list_tells_what_stat_tells_in_the_order_of_names(store: Store, container: str) -> None:
    names = ["runs/b/1.tar", "runs/a/2.tar", "runs/a/10.tar", "other/1.tar", "runs/a.tar"]
    refs = [BlobRef(container=container, name=name) for name in names]
    for number, ref in enumerate(refs):
        store.write(ref, b"x" * number, metadata={"number": str(number)})
    found = list(store.list(container, "runs/a/"))
    assert [info.ref.name for info in found] == ["runs/a/10.tar", "runs/a/2.tar"]
    for info in found:
        stat = store.stat(info.ref)
        assert (info.size, info.etag, dict(info.metadata)) == (stat.size, stat.etag, dict(stat.metadata))
    assert len(list(store.list(container))) == 5
    assert list(store.list(container, "nothing/")) == []


def test_delete_where_storage_does_not_understand_batches(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite does not if it is reached by a name without a dot, as in a cluster."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve(
        "127.0.0.1" if host == "storage" else host, *rest, **more))  # fmt: skip
    store, container = azure(azurite.replace("127.0.0.1", "storage")), f"store-{uuid.uuid4().hex[:12]}"
    store.create_containers([container])
    refs = [BlobRef(container=container, name=f"blobs/{number}") for number in range(3)]
    for ref in refs[1:]:
        store.write(ref, b"content")
    store.delete(refs)
    assert list(store.list(container)) == []


def test_delete_passes_over_what_is_gone(store: Store, ref: BlobRef) -> None:
    store.write(ref, b"content")
    store.delete([ref.model_copy(update={"name": "never there"}), ref, ref])
    with pytest.raises(BlobNotFound):
        store.stat(ref)


def test_a_missing_blob_is_named(store: Store, ref: BlobRef) -> None:
    for ask in (store.read, store.stat):
        with pytest.raises(BlobNotFound, match=rf"{ref.container}/folder/a b/é\.bin: no such blob"):
            ask(ref)


def test_a_file_is_written_from_its_beginning_to_its_end(store: Store, ref: BlobRef) -> None:
    store.write(ref, io.BytesIO(b"content"), metadata={"a": "b"})
    assert store.read(ref) == b"content"
    assert store.stat(ref).metadata["a"] == "b"


def test_a_large_file_goes_up_in_blocks_and_comes_down_by_ranges(store: Store, ref: BlobRef, tmp_path: Path) -> None:
    content = os.urandom(2**20) * 68 + b"the end"  # more than the SDK sends in one request
    assert len(content) > 8 * BLOCK
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    with path.open("rb") as file:
        etag = store.write(ref, file, if_absent=True)
    with path.open("rb") as file, pytest.raises(Conflict):
        store.write(ref, file, if_absent=True)
    reader = BlobReader(store, ref, store.stat(ref).size, etag, chunk=16 * 2**20)
    assert reader.read() == content
    reader.seek(-7, io.SEEK_END)
    assert reader.read() == b"the end"


def test_storage_answers(store: Store) -> None:
    store.ping()


def test_a_missing_container_is_named(blobs: AzureBlobs) -> None:
    ref = BlobRef(container="never-created", name="a.bin")
    with pytest.raises(BlobNotFound, match="never-created: no such container"):
        list(blobs.list("never-created"))
    with pytest.raises(BlobNotFound, match=r"never-created/a\.bin: no such container"):
        blobs.write(ref, b"content")


def test_containers_are_created_once(blobs: AzureBlobs) -> None:
    name = f"store-{uuid.uuid4().hex[:12]}"
    blobs.create_containers([name, name])
    blobs.create_containers([name])
    assert list(blobs.list(name)) == []


def test_bytes_are_counted(blobs: AzureBlobs) -> None:
    def counted(direction: str) -> float:
        return REGISTRY.get_sample_value("framebrush_blob_bytes_total", {"direction": direction}) or 0.0

    name = f"store-{uuid.uuid4().hex[:12]}"
    blobs.create_containers([name])
    ref, read, written = BlobRef(container=name, name="a"), counted("read"), counted("written")
    blobs.write(ref, b"12345")
    blobs.write(ref, io.BytesIO(b"1234567"))
    blobs.read(ref, 2)
    assert counted("written") - written == 12
    assert counted("read") - read == 5


def test_storage_that_is_away_is_unavailable_and_soon_said_to_be() -> None:
    [port] = free_ports(1)
    store = AzureBlobs(StorageSettings.model_validate({"storage_connection_string": connection_string(port)}))
    ref, begun = BlobRef(container="work", name="a.bin"), time.monotonic()
    with pytest.raises(Unavailable, match=r"storage: work/a\.bin: "):
        store.read(ref)
    assert time.monotonic() - begun < 10


def azure(azurite: str, **settings: str) -> AzureBlobs:
    return AzureBlobs(StorageSettings.model_validate({"storage_connection_string": azurite, **settings}))


def refused(azurite: str) -> str:
    """The connection string with the key of another account."""
    key = next(part for part in azurite.split(";") if part.startswith("AccountKey="))
    return azurite.replace(key, "AccountKey=" + base64.b64encode(b"rotated").decode())


CALLS: dict[str, Callable[[AzureBlobs, BlobRef], object]] = {
    "read": lambda store, ref: store.read(ref),
    "write": lambda store, ref: store.write(ref, b"x"),
    "write if absent": lambda store, ref: store.write(ref, b"x", if_absent=True),
    "stat": lambda store, ref: store.stat(ref),
    "list": lambda store, ref: list(store.list(ref.container)),
    "delete": lambda store, ref: store.delete([ref]),
    "ping": lambda store, ref: store.ping(),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@calls
@pytest.mark.parametrize("name", ["work", "output", "input", "elsewhere"])
def test_a_key_that_is_refused_makes_the_process_unfit(
    azurite: str, call: Callable[[AzureBlobs, BlobRef], object], name: str
) -> None:
    with pytest.raises(Unfit, match=r"storage: .*authenticate"):
        call(azure(refused(azurite)), BlobRef(container=name, name="a"))


@calls
@pytest.mark.parametrize("kind", ["work_container", "output_container"])
def test_a_missing_container_of_our_own_makes_the_process_unfit(
    azurite: str, call: Callable[[AzureBlobs, BlobRef], object], kind: str
) -> None:
    missing = f"missing-{uuid.uuid4().hex[:12]}"
    if call is CALLS["ping"] and kind != "work_container":
        pytest.skip("only the work container is asked for")
    with pytest.raises(Unfit, match=f"there is no container {missing}"):
        call(azure(azurite, **{kind: missing}), BlobRef(container=missing, name="a"))


@pytest.mark.parametrize("call", [CALLS["read"], CALLS["stat"], CALLS["write"]])
def test_a_missing_container_that_a_request_names_is_the_requests_fault(
    azurite: str, call: Callable[[AzureBlobs, BlobRef], object]
) -> None:
    missing = f"missing-{uuid.uuid4().hex[:12]}"
    with pytest.raises(BlobNotFound, match="no such container"):
        call(azure(azurite, input_container=missing), BlobRef(container=missing, name="a"))


def test_a_missing_blob_of_our_own_is_no_missing_container(azurite: str) -> None:
    name = f"work-{uuid.uuid4().hex[:12]}"
    store = azure(azurite, work_container=name)
    store.create_containers([name])
    for call in (store.read, store.stat):
        with pytest.raises(BlobNotFound, match="no such blob"):
            call(BlobRef(container=name, name="a"))
    store.ping()


def test_a_container_that_a_request_names_and_that_is_closed_to_us_is_the_requests_fault(azurite: str) -> None:
    """With a signature for one container, as with a role for it: a 403 for others says nothing about this process."""
    names = [f"{kind}-{uuid.uuid4().hex[:12]}" for kind in ("work", "closed")]
    azure(azurite).create_containers(names)
    parts = dict(part.split("=", 1) for part in azurite.strip(";").split(";"))
    signature = generate_container_sas(
        parts["AccountName"], names[0], parts["AccountKey"], permission="rwdl",
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    limited = f"BlobEndpoint={parts['BlobEndpoint']};SharedAccessSignature={signature}"
    store = azure(limited, work_container=names[0])
    for call in (CALLS["read"], CALLS["stat"], CALLS["write"]):
        with pytest.raises(AccessDenied, match=f"{names[1]}/a: "):
            call(store, BlobRef(container=names[1], name="a"))
    ours = BlobRef(container=names[0], name="a")
    store.write(ours, b"content")
    assert store.read(ours) == b"content"
