"""Logs of runs that outlive their pods: what is copied, and that no work waits for it."""

import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import REGISTRY

from framebrush.contracts import BlobRef
from framebrush.errors import BlobNotFound, Conflict, Unavailable
from framebrush.messaging import run_context
from framebrush.service import JsonFormatter, RunLog
from framebrush.steps import collected, describe, summary, timed
from framebrush.storage import MemoryStore
from framebrush_cli.commands.logs import LogReader

log = logging.getLogger("framebrush.test.runlog")


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunLog]]:
    monkeypatch.setattr("framebrush.service.runlog.INTERVAL", 0.05)
    made = list[RunLog]()

    def make(store: MemoryStore, service: str = "scorer") -> RunLog:
        handler = RunLog(service, store, "logs")
        handler.setFormatter(JsonFormatter(service))
        log.addHandler(handler)
        log.setLevel("INFO")
        made.append(handler)
        return handler

    yield make
    for handler in made:
        log.removeHandler(handler)
        handler.close()


def lost() -> float:
    return REGISTRY.get_sample_value("framebrush_log_lines_lost_total") or 0.0


def say(run_id: str | None, *texts: str) -> None:
    with run_context(run_id):
        for text in texts:
            log.info(text)


def messages(store: MemoryStore, run_id: str, service: str | None = None) -> list[str]:
    return [json.loads(line)["message"] for line in LogReader(store, "logs", run_id, service).read()]


def test_lines_of_runs_are_in_storage_when_the_pod_is_gone(copying: Callable[..., RunLog]) -> None:
    store = MemoryStore()
    handler = copying(store)
    say("film-1", "one", "two")
    say("film-2", "other")
    say(None, "nobody's")
    handler.close()
    assert messages(store, "film-1") == ["one", "two"]
    assert messages(store, "film-2") == ["other"]
    name = f"film-1/scorer-{os.uname().nodename}.jsonl"
    assert [blob.ref.name for blob in store.list("logs", "film-1/")] == [name]


def test_services_are_read_together_by_time_and_once(copying: Callable[..., RunLog]) -> None:
    store = MemoryStore()
    for service, text in (("splitter", "first"), ("scorer", "second"), ("splitter", "third")):
        handler = copying(store, service)
        say("film-1", text)
        log.removeHandler(handler)
        handler.close()
        time.sleep(0.002)  # times have milliseconds
    reader = LogReader(store, "logs", "film-1")
    assert [json.loads(line)["message"] for line in reader.read()] == ["first", "second", "third"]
    assert reader.read() == []
    assert messages(store, "film-1", "scorer") == ["second"]
    half = BlobRef(container="logs", name=f"film-1/scorer-{os.uname().nodename}.jsonl")
    store.append(half, b'{"time": "2026", "message": "half')
    assert reader.read() == []
    store.append(half, b' a line"}\n')
    assert [json.loads(line)["message"] for line in reader.read()] == ["half a line"]


def test_work_never_waits_and_lines_are_bounded(
    copying: Callable[..., RunLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage stands still: what waits is bounded, what is too much is counted, and no line takes longer for that."""
    standing, go = threading.Event(), threading.Event()

    class Still(MemoryStore):
        def append(self, ref: BlobRef, data: bytes) -> None:
            standing.set()
            go.wait(30)
            super().append(ref, data)

    monkeypatch.setattr("framebrush.service.runlog.MOST", 2000)
    store, before = Still(), lost()
    handler = copying(store)
    say("film-1", "first")
    assert standing.wait(30)
    say("film-1", *[f"{number:0100}" for number in range(50)])  # this would stand still, too, if it waited
    assert 35 <= lost() - before < 50
    assert handler._size <= 2000
    go.set()
    handler.close()
    assert len(messages(store, "film-1")) + lost() - before == 1 + 50


def test_a_blob_that_takes_no_more_is_followed_by_another_one(copying: Callable[..., RunLog]) -> None:
    class Narrow(MemoryStore):
        """Takes two appends a blob, where Azure takes 50,000."""

        def __init__(self) -> None:
            super().__init__()
            self.appends = Counter[BlobRef]()

        def append(self, ref: BlobRef, data: bytes) -> None:
            if self.appends[ref] == 2:
                raise Conflict(f"{ref}: takes no more")
            self.appends[ref] += 1
            super().append(ref, data)

    store, before = Narrow(), lost()
    copying(store)
    for number in range(5):
        say("film-1", str(number))
        for _ in range(500):
            if sum(store.appends.values()) == number + 1:
                break
            time.sleep(0.02)
    assert messages(store, "film-1") == ["0", "1", "2", "3", "4"]
    assert lost() == before
    names = [blob.ref.name.partition(os.uname().nodename)[2] for blob in store.list("logs", "film-1/")]
    assert names == [".1.jsonl", ".2.jsonl", ".jsonl"]


def test_a_run_costs_one_request_each_interval_however_many_lines_it_has(
    copying: Callable[..., RunLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebrush.service.runlog.INTERVAL", 60.0)
    store = Refusing(Unavailable("away"))
    store.refuses = False
    handler = copying(store)
    say("film-1", *map(str, range(1000)))
    handler.close()
    assert store.asked == 1
    assert len(messages(store, "film-1")) == 1000


class Refusing(MemoryStore):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.refuses, self._error, self.asked = True, error, 0

    def append(self, ref: BlobRef, data: bytes) -> None:
        self.asked += 1
        if self.refuses:
            raise self._error
        super().append(ref, data)


def test_lines_wait_while_storage_is_away(copying: Callable[..., RunLog]) -> None:
    store, before = Refusing(Unavailable("away")), lost()
    handler = copying(store)
    say("film-1", "one")
    while not store.asked:
        time.sleep(0.01)
    say("film-1", "two")
    store.refuses = False
    handler.close()
    assert messages(store, "film-1") == ["one", "two"]
    assert lost() == before


@pytest.mark.parametrize(
    ("error", "hint"),
    [(BlobNotFound("logs/x: no such container"), "framebrush setup"), (ValueError("odd"), "ValueError: odd")],
)
def test_storage_that_refuses_costs_lines_and_nothing_else(
    copying: Callable[..., RunLog], error: Exception, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    store, before = Refusing(error), lost()
    handler = copying(store)
    for text in ("one", "two"):
        say("film-1", text)
        for _ in range(200):
            if lost() - before == ("one", "two").index(text) + 1:
                break
            time.sleep(0.02)
    store.refuses = False
    say("film-1", "three")
    handler.close()
    assert messages(store, "film-1") == ["three"]
    assert lost() - before == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1, warnings  # said once
    assert hint in warnings[0]


def test_the_steps_of_a_message() -> None:
    assert summary() == {}
    with timed("nobody's"):
        describe(model="ink")
    with collected():
        describe(model="ink", device=None, segment=0)
        for _ in range(2):
            with timed("read"):
                time.sleep(0.02)
        found = dict(summary())
        steps = found.pop("milliseconds")
        assert found == {"model": "ink", "segment": 0}
        assert isinstance(steps, dict)
        assert 40 <= steps["read"] < 1000
    assert summary() == {}
