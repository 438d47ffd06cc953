"""A lease on a blob, which anybody may take: storage then refuses to change it, whatever the ETag."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from framebrush.contracts import BlobRef, State, Status
from framebrush.errors import Unavailable
from framebrush.runs import Runs
from framebrush.storage import AzureBlobs, StorageSettings


@pytest.fixture
def runs(azurite: str) -> Runs:
    container, now = f"work-{uuid.uuid4().hex[:12]}", datetime.now(UTC)
    store = AzureBlobs(StorageSettings.model_validate({"storage_connection_string": azurite}))
    store.create_containers([container])
    runs, source = Runs(store, container), BlobRef(container="input", name="a.mp4")
    runs.create(Status(run_id="a", state=State.RUNNING, created=now, updated=now, input=source, model="identity"))
    return runs


@contextmanager
def leased(runs: Runs, ref: BlobRef) -> Iterator[None]:
    assert isinstance(runs.store, AzureBlobs)
    lease = runs.store._accounts.blob(ref).acquire_lease(60)
    try:
        yield
    finally:
        lease.release()


def test_a_leased_status_makes_the_run_wait(runs: Runs) -> None:
    with leased(runs, runs.blobs("a").status), pytest.raises(Unavailable, match="lease"):
        runs.end("a", State.SUCCEEDED)
    assert runs.active("a")
    assert runs.end("a", State.SUCCEEDED)
    assert runs.status("a").state is State.SUCCEEDED


def test_a_leased_status_is_a_run_that_exists(runs: Runs) -> None:
    with leased(runs, runs.blobs("a").status):
        assert not runs.create(runs.status("a").model_copy(update={"created": datetime.now(UTC)}))


def test_a_leased_status_makes_a_reopening_wait(runs: Runs) -> None:
    runs.end("a", State.FAILED)
    with leased(runs, runs.blobs("a").status), pytest.raises(Unavailable, match="lease"):
        runs.reopen("a")
    assert runs.reopen("a") == []
    assert runs.status("a").state is State.PLANNING
