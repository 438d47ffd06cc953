import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from framebrush.contracts import BlobRef, Failure, FrameRange, State, Status
from framebrush.errors import Unavailable
from framebrush.runs import Runs, work_metadata
from framebrush_cli.commands import watch

MANIFEST = Path(__file__).parents[2] / "contract" / "golden" / "manifest.json"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def later(action: Callable[[], object]) -> None:
    threading.Timer(0.3, action).start()


def test_progress_comes_from_the_blobs(runs: Runs, make_status: Callable[[str], Status], console: Console) -> None:
    status = make_status("film-1")
    runs.create(status.model_copy(update={"frames": 48}))
    pack = runs.blobs("film-1").pack(0, FrameRange(first=0, count=32))
    runs.store.write(pack, b"", metadata=work_metadata(status.created))
    runs.store.write(runs.blobs("film-1").manifest, MANIFEST.read_bytes())
    output = BlobRef(container="output", name="film.mp4")
    later(lambda: runs.end("film-1", State.SUCCEEDED, output=output))
    assert watch.follow(runs, "film-1", console).state is State.SUCCEEDED
    assert "film-1: running: split 32/48, scored 0/48, encoded 0/48" in text(console)
    assert "48 frames" in text(console)
    assert "output output/film.mp4" in text(console)


def test_a_run_that_no_splitter_has_seen_is_waited_for(
    runs: Runs, make_status: Callable[[str], Status], console: Console
) -> None:
    def play() -> None:
        runs.create(make_status("film-1"))
        runs.fail("film-1", Failure(reason="invalid_video", description="no picture in it"))

    later(play)
    assert watch.follow(runs, "film-1", console).state is State.FAILED
    assert "film-1: queued" in text(console)
    assert "invalid_video: no picture in it" in text(console)


def test_storage_may_be_away_for_a_while(
    runs: Runs, make_status: Callable[[str], Status], console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.create(make_status("film-1"))
    status, failures = runs.status, iter([True, True])

    def flaky(run_id: str) -> Status:
        if next(failures, False):
            raise Unavailable("storage: no answer")
        return status(run_id)

    monkeypatch.setattr(runs, "status", flaky)
    later(lambda: runs.end("film-1", State.CANCELLED))
    assert watch.follow(runs, "film-1", console).state is State.CANCELLED
    assert "storage: no answer; trying again" in text(console)

    monkeypatch.setattr(watch, "PATIENCE", 0.0)
    failures = iter([True] * 100)
    with pytest.raises(Unavailable):
        watch.follow(runs, "film-1", console)
