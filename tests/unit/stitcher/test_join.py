"""A join reads chunks while it joins those before them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pipeline import Pipeline

from framebrush.contracts import BlobRef, RunEncoded, State
from framebrush.errors import Unavailable
from framebrush.storage import MemoryStore
from framebrush_stitcher.arrival import CONNECTIONS

SEGMENTS = 24


class Watched(MemoryStore):
    """Notes how many chunks lie in the folder when one is read, and may be away for one of them."""

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self.scratch, self.most, self.read_chunks = scratch, 0, list[str]()
        self.away = ""
        self.guard = threading.Lock()

    def read(self, ref: BlobRef, *arguments: Any, **options: Any) -> bytes:
        if "/encoded" in ref.name:
            with self.guard:
                there = [*self.scratch.glob("*/chunk-*"), *self.scratch.glob("*/arriving-*")]
                self.most = max(self.most, len(there))
                self.read_chunks.append(ref.name)
            if self.away and ref.name.endswith(self.away):
                self.away = ""
                raise Unavailable("storage is away")
        return super().read(ref, *arguments, **options)


@pytest.fixture
def ready(video: Callable[..., Path], tmp_path: Path) -> Iterator[Pipeline]:
    """A run of two styles that is encoded, and not yet joined."""
    film, scratch = video("film.mp4", gop=2), tmp_path / "scratch"
    scratch.mkdir()
    pipeline = Pipeline(segment_frames=2, store=Watched(scratch), stitcher={"scratch": scratch})
    ref = pipeline.put("film.mp4", film.read_bytes())
    pipeline.submit(ref, model="identity", more_models=("ink",), preset="ultrafast")
    while not isinstance(pipeline.waiting[0], RunEncoded) or len(pipeline.waiting) > 1:
        pipeline.step()
    yield pipeline
    assert not list(scratch.iterdir())


def test_the_disk_holds_a_few_chunks_at_a_time(ready: Pipeline) -> None:
    store: Any = ready.store
    store.most, count = 0, len(list(ready.manifest().chunks))
    assert count >= SEGMENTS
    store.read_chunks.clear()
    assert ready.run().state is State.SUCCEEDED
    assert len(store.read_chunks) == 2 * count
    # One is joined, the one behind it is there, and so many are on their way or wait for their turn.
    assert 0 < store.most <= CONNECTIONS + 3


def test_a_join_that_met_an_outage_comes_again(ready: Pipeline) -> None:
    store: Any = ready.store
    store.away = "000013.nut"
    ready.step()
    assert not store.away
    assert ready.status().state is State.RUNNING
    assert ready.run().state is State.SUCCEEDED
