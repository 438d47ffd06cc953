"""A scorer on a simulated device: it sleeps for each frame, as do storage for each request and the codecs."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.pipeline import CONNECTIONS

from framebrush.contracts import BatchReady, BlobRef, FrameRange, Manifest, Options, State, Status
from framebrush.errors import Unavailable
from framebrush.media import PackWriter
from framebrush.messaging import LockKeeper
from framebrush.runs import PAINTED, Runs
from framebrush.service import cores
from framebrush.storage import MemoryStore
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.pipeline import Scorer
from framebrush_scorer.pipeline.mark import Mark
from framebrush_scorer.settings import ScorerSettings, slots

SLOWER = 3
"""All times are so many times longer, so that a busy machine matters less: their proportions are what counts."""
REQUEST, CODEC, DEVICE = 0.015 * SLOWER, 0.011 * SLOWER, 0.004 * SLOWER
"""Seconds of a request, of a frame in the codecs (both ways together), and of a frame on the device."""
CORES, BATCH, BATCHES = 4, 12, 24
HANDLER = "framebrush_scorer.pipeline.handler"
GOLDEN = Path(__file__).parents[2] / "contract" / "golden" / "manifest.json"


class SlowStore(MemoryStore):
    """Takes as long as a storage account for each request."""

    slow = False

    def _wait(self) -> None:
        if self.slow:
            time.sleep(REQUEST)

    def read(self, *arguments: Any, **options: Any) -> bytes:
        self._wait()
        return super().read(*arguments, **options)

    def write(self, *arguments: Any, **options: Any) -> str:
        self._wait()
        return super().write(*arguments, **options)

    def stat(self, ref: BlobRef) -> Any:
        self._wait()
        return super().stat(ref)


class Device:
    """A frame model that sleeps, and notes when."""

    name = "device"

    def __init__(self, seconds: float = DEVICE) -> None:
        self.seconds, self.spans = seconds, list[tuple[float, float]]()

    def __call__(self, frames: RgbFrames) -> RgbFrames:
        begun = time.perf_counter()
        time.sleep(self.seconds * len(frames))
        self.spans.append((begun, time.perf_counter()))
        return frames

    def share(self) -> float:
        """The part of the time in which it was busy, without the first and the last batches."""
        spans = self.spans[6:-6]
        return sum(ended - begun for begun, ended in spans) / (spans[-1][1] - spans[0][0])


class Held:
    """A message and its receiver, whose lock lasts."""

    locked_until_utc = None

    def renew_message_lock(self, message: Any, *, timeout: float | None = None) -> datetime:
        raise AssertionError((message, timeout))


def prepare(store: SlowStore) -> list[BatchReady]:
    """A run whose frames wait to be scored."""
    runs, now = Runs(store, "work"), datetime.now(UTC)
    source = BlobRef(container="input", name="a.mp4")
    runs.create(
        Status(run_id="a", state=State.RUNNING, created=now, updated=now, input=source, model="device", frames=1)
    )
    golden = Manifest.decode(GOLDEN.read_bytes())
    video = golden.video.model_copy(update={"width": 8, "height": 8})
    changes = {"run_id": "a", "model": "device", "options": Options(), "more_outputs": (), "video": video}
    store.write(runs.blobs("a").manifest, golden.model_copy(update=changes).encode())
    batches = []
    for number in range(BATCHES):
        frames, pack = FrameRange(first=number * BATCH, count=BATCH), PackWriter()
        for index in range(frames.first, frames.stop):
            pack.add_frame(index, b"jpeg")
        store.write(runs.blobs("a").pack(0, frames), pack.finish())
        length = pack.offsets[-1]
        batches.append(BatchReady(run_id="a", segment=0, frames=frames, pack=frames, start=0, length=length))
    return batches


def busy(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> float:
    """The part of the time in which the device is busy, with so many batches in hand."""
    store, device = SlowStore(), Device()
    batches = iter(prepare(store))

    def codec(*_: object) -> None:
        time.sleep(CODEC / 2)

    monkeypatch.setattr(f"{HANDLER}.PART_PIXELS", 10**9)
    monkeypatch.setattr(f"{HANDLER}.decode_image", lambda *_: codec() or np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(f"{HANDLER}.encode_image", lambda *_: codec() or b"jpeg")
    monkeypatch.setattr(f"{HANDLER}.choose_device", lambda _: type("Cuda", (), {"type": "cuda"}))
    monkeypatch.setattr(f"{HANDLER}.load", lambda *_: device)
    scorer, guard = Scorer(store, ScorerSettings(**CONNECTIONS, codec_threads=CORES)), threading.Lock()
    store.slow = True

    def slot() -> None:
        while True:
            with guard:
                batch = next(batches, None)
            if batch is None:
                return
            time.sleep(REQUEST)  # it is received
            drain(scorer(batch))
            time.sleep(REQUEST)  # it is completed

    def drain(outgoing: Iterator[object]) -> None:
        for _ in outgoing:
            time.sleep(REQUEST)  # it is sent

    with ThreadPoolExecutor(concurrency) as pool:
        for each in [pool.submit(slot) for _ in range(concurrency)]:
            each.result()
    return device.share()


def test_the_device_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work on the machine may disturb it, so one of three attempts counts. A worse pipeline never gets there."""
    assert any(busy(monkeypatch, slots(CORES)) >= 0.95 for _ in range(3))


def test_three_batches_at_a_time_leave_the_device_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    assert busy(monkeypatch, 3) < 0.9


def test_batches_that_take_turns_do_not_use_up_each_others_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU three slots work in turns, so that the last one waits for twice the time of a batch."""
    device = Device(seconds=0.05)
    monkeypatch.setattr(f"{HANDLER}.decode_image", lambda *_: np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(f"{HANDLER}.encode_image", lambda *_: b"jpeg")
    monkeypatch.setattr(f"{HANDLER}.load", lambda *_: device)
    store, keeper = SlowStore(), LockKeeper(1.4, interval=0.05)
    batches, scorer = prepare(store)[:3], Scorer(store, ScorerSettings(**CONNECTIONS, device="cpu"))
    keeper.start()

    def work(batch: BatchReady) -> int:
        with keeper.hold(Held(), Held()):
            return len(list(scorer(batch)))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, batches)) == [1, 1, 1]
    keeper.stop()
    assert len(device.spans) == 3
    assert sum(ended - begun for begun, ended in device.spans) > 1.5


def test_a_batch_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels a run gets its scorers back at once, and not when their batches are done."""
    store = SlowStore()

    class Cancelling(Device):
        def __call__(self, frames: RgbFrames) -> RgbFrames:
            if len(self.spans) == 3:
                assert Runs(store, "work").end("a", State.CANCELLED)
            return super().__call__(frames)

    device = Cancelling(seconds=0.01)
    monkeypatch.setattr(f"{HANDLER}.PART_PIXELS", 8 * 8)
    monkeypatch.setattr(f"{HANDLER}.LOOK", 0.0)
    monkeypatch.setattr(f"{HANDLER}.decode_image", lambda *_: np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(f"{HANDLER}.encode_image", lambda *_: b"jpeg")
    monkeypatch.setattr(f"{HANDLER}.load", lambda *_: device)
    batch = prepare(store)[0]
    assert list(Scorer(store, ScorerSettings(**CONNECTIONS, device="cpu"))(batch)) == []
    assert len(device.spans) == 4


class MarkedStore(SlowStore):
    """Notes how many frames the marks tell of, and may refuse them."""

    refuses = False

    def __init__(self) -> None:
        super().__init__()
        self.told = list[int]()

    def write(self, ref: BlobRef, data: Any, **options: Any) -> str:
        if "/marks/" in ref.name:
            self.told.append(int(options["metadata"][PAINTED]))
            if self.refuses:
                raise Unavailable("no more marks")
        return super().write(ref, data, **options)


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(("every", "told"), [(0.0, [*range(1, BATCH + 1)]), (100.0, [])])
def test_a_long_batch_tells_how_far_it_is(
    every: float, told: list[int], refuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebrush_scorer.pipeline.mark.EVERY", every)
    monkeypatch.setattr(f"{HANDLER}.STEP_PIXELS", 8 * 8)
    monkeypatch.setattr(f"{HANDLER}.decode_image", lambda *_: np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(f"{HANDLER}.encode_image", lambda *_: b"jpeg")
    monkeypatch.setattr(f"{HANDLER}.load", lambda *_: Device(seconds=0))
    store = MarkedStore()
    store.refuses, batch = refuses, prepare(store)[0]
    assert len(list(Scorer(store, ScorerSettings(**CONNECTIONS, device="cpu"))(batch))) == 1
    assert store.told == told
    assert not list(store.list("work", Runs(store, "work").blobs("a").marks_prefix))


def test_a_mark_counts_the_paintings_of_all_styles() -> None:
    store = MarkedStore()
    mark = Mark(store, Runs(store, "work").blobs("a").mark(0, FrameRange(first=0, count=4)), renditions=3)
    mark._due = 0.0
    for _ in range(3):
        mark.add(4)
        mark._due = 0.0
    assert store.told == [1, 2, 4]


def test_slots_follow_from_cores_and_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [slots(count) for count in (1, 2, 4, 16)] == [3, 4, 6, 8]
    monkeypatch.setattr("framebrush_scorer.settings.GPU", tmp_path / "none")
    assert ScorerSettings(**CONNECTIONS).concurrency == 3
    monkeypatch.setattr("framebrush_scorer.settings.GPU", tmp_path)
    assert ScorerSettings(**CONNECTIONS).concurrency == slots(cores())
    assert ScorerSettings(**CONNECTIONS, device="cpu").concurrency == 3
    assert ScorerSettings(**CONNECTIONS, concurrency=5).concurrency == 5


def test_cores_are_those_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    quota = tmp_path / "cpu.max"
    for text, wanted in (("max 100000\n", 8), ("150000 100000\n", 2), ("50000 100000\n", 1), ("1600000 100000\n", 8)):
        quota.write_text(text)
        assert cores(quota) == wanted
    assert cores(tmp_path / "none") == 8
