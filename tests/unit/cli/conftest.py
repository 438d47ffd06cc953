import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from framebrush.contracts import BlobRef, State, Status
from framebrush.runs import Runs
from framebrush.storage import MemoryStore


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FRAMEBRUSH_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def runs() -> Runs:
    return Runs(MemoryStore(), "work")


@pytest.fixture
def make_status() -> Callable[[str], Status]:
    def make(run_id: str) -> Status:
        now = datetime.now(UTC)
        source = BlobRef(container="input", name="a.mp4")
        return Status(run_id=run_id, state=State.RUNNING, created=now, updated=now, input=source, model="oil")

    return make
