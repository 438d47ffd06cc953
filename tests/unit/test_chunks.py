"""A segment, which is decoded together, is encoded in chunks, and decoded in turns if it is long."""

import io
import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.film import Film
from support.pipeline import CONNECTIONS, Pipeline
from support.torture.captions import captions
from support.video import facts, frames, psnr

from framebrush.contracts import (
    BlobRef,
    Incoming,
    Manifest,
    Message,
    PackReady,
    Segment,
    SegmentEncoded,
    SegmentPlanned,
    SegmentScored,
    State,
)
from framebrush.errors import DeadlineExceeded, InvalidMessage, Unavailable
from framebrush.media import side_data
from framebrush.messaging import Lockable, LockKeeper
from framebrush.storage import MemoryStore
from framebrush_splitter.handler import Splitter
from framebrush_splitter.plan import chunk_size
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import FRAME_HEADER

FRAMES, CHUNK = 100, 16
SLOW, TIMEOUT = 1.6, 5.0
"""The seconds that it takes to store a pack, and that a message may take."""
GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "manifest.json"
TURNS = {"message_timeout": 1e-6}
"""The first chunk is a turn, and those behind last as long as it takes to come to them."""


@pytest.fixture(params=["film.mp4", "film.avi", "open.mkv"])
def film(request: pytest.FixtureRequest, video: Callable[..., Path]) -> Path:
    """A film with B-frames and one keyframe, or with all of them in open groups of pictures."""
    name: str = request.param
    options = {"bf": "2", **({"x264-params": "open-gop=1"} if name == "open.mkv" else {})}
    gop = 10 if name == "open.mkv" else 1000
    return video(name, pts=range(0, FRAMES * 512, 512), gop=gop, audio="mp3", options=options)


@pytest.fixture
def single(video: Callable[..., Path]) -> Path:
    """A film with one keyframe."""
    return video("single.mp4", pts=range(0, FRAMES * 512, 512), gop=1000)


def pipeline(film: Path, segment_frames: int = 200, **settings: object) -> Pipeline:
    made = Pipeline(segment_frames=segment_frames, chunk_frames=CHUNK, **settings)
    made.submit(made.put(film.name, film.read_bytes()), run_id="film", crf=1, preset="ultrafast", batch_frames=4)
    return made


def count(done: Pipeline, kind: type) -> int:
    return sum(isinstance(message, kind) for message in done.handled)


def keyframes(film: bytes | Path, tmp_path: Path) -> list[int]:
    path = film if isinstance(film, Path) else tmp_path / "output"
    if isinstance(film, bytes):
        path.write_bytes(film)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
    order = sorted(packet.pts or 0 for packet in packets)
    return [order.index(packet.pts or 0) for packet in packets if packet.is_keyframe]


def test_chunks_begin_where_the_input_has_no_keyframes(film: Path, tmp_path: Path) -> None:
    done = pipeline(film)
    status = done.run()
    assert status.state is State.SUCCEEDED, status.error
    manifest = done.manifest()
    assert (len(manifest.segments), manifest.chunk_count(0), manifest.version) == (1, 6, 3)
    assert (count(done, SegmentPlanned), count(done, SegmentScored), count(done, SegmentEncoded)) == (1, 6, 6)
    assert keyframes(done.output(), tmp_path) == list(range(0, FRAMES - CHUNK, CHUNK))
    assert (facts(done.output()).times, facts(done.output()).copied) == (facts(film).times, facts(film).copied)
    for before, after in zip(frames(film), frames(done.output()), strict=True):
        assert psnr(before, after) > 40


def test_turns_and_deaths_change_no_byte(single: Path) -> None:
    whole = pipeline(single)
    assert whole.run().state is State.SUCCEEDED
    turns = pipeline(single, **TURNS)
    assert turns.run().state is State.SUCCEEDED
    assert count(turns, SegmentPlanned) >= 2
    assert turns.output() == whole.output()


def test_turns_keep_the_captions_of_each_frame(tmp_path: Path) -> None:
    """The order of a frame among the packets is in its captions."""
    film = captions(tmp_path / "single.mp4", Film(pts=range(0, FRAMES * 512, 512), gop=1000, sounds=()))
    whole, turns = pipeline(film), pipeline(film, **TURNS)
    assert (whole.run().state, turns.run().state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert count(turns, SegmentPlanned) >= 2 and whole.manifest().version == 5
    assert turns.output() == whole.output()
    with av.open(str(film)) as before, av.open(io.BytesIO(turns.output())) as after:
        texts = [[side_data(frame, "A53_CC") for frame in each.decode(video=0)] for each in (before, after)]
    assert texts[0] == texts[1] and len(set(texts[0])) == FRAMES


@pytest.mark.parametrize("seed", range(2))
def test_what_was_stored_before_a_death_is_not_made_again(single: Path, seed: int) -> None:
    """A splitter dies at every third message or so, before or after it has sent it."""
    generator, deaths, made = random.Random(seed), 0, list[PackReady]()
    whole, killed = pipeline(single), pipeline(single, **(TURNS if seed % 2 else {}))
    whole.run()
    split = killed.handlers["splits"]

    def dying(message: Incoming) -> Iterator[Message]:
        nonlocal deaths
        for outgoing in split(message):
            if isinstance(outgoing, PackReady):
                made.append(outgoing)
            early, late = generator.random() < 0.3, generator.random() < 0.3
            deaths += early or late
            if early:
                raise Unavailable
            yield outgoing
            if late:
                raise Unavailable

    killed.handlers["splits"] = dying
    written = list[str]()
    write = killed.store.write

    def watched(ref, data, **options):  # type: ignore[no-untyped-def]
        if "/frames/" in ref.name:
            written.append(ref.name)
        return write(ref, data, **options)

    killed.store.write = watched  # type: ignore[method-assign]
    assert killed.run().state is State.SUCCEEDED
    assert deaths
    assert killed.output() == whole.output()
    assert {each.frames.first for each in made} == set(range(0, FRAMES, CHUNK))
    assert len(written) <= 7 + deaths  # Of a chunk that was not complete the one pack is made again, or found.


class SlowStore(MemoryStore):
    """A store that takes its time for packs of frames."""

    def write(self, ref: BlobRef, data: bytes | BinaryIO, **options: Any) -> str:
        if "/frames/" in ref.name:
            time.sleep(SLOW)
        return super().write(ref, data, **options)


class Receiver:
    """The receiver of a message whose lock never runs out."""

    locked_until_utc = datetime.max.replace(tzinfo=UTC)

    def renew_message_lock(self, message: Lockable, *, timeout: float | None = None) -> datetime:
        raise AssertionError("a lock that never runs out is not renewed")


def test_a_segment_may_take_longer_than_a_message(single: Path) -> None:
    store, locks, receiver = SlowStore(), LockKeeper(TIMEOUT, interval=0.05), Receiver()
    done = pipeline(single, store=store, message_timeout=TIMEOUT)
    split = done.handlers["splits"]

    def held(message: Incoming) -> Iterator[Message]:
        """Handle a message as the worker does, with its time and as often as it is tried."""
        for _ in range(5):
            with suppress(DeadlineExceeded), locks.hold(receiver, receiver):
                yield from split(message)
                return
        raise AssertionError("the message became a dead letter")

    done.handlers["splits"] = held
    locks.start()
    try:
        status = done.run()
    finally:
        locks.stop()
    assert status.state is State.SUCCEEDED
    split_time = status.stages["split"].ended - status.stages["split"].started
    assert split_time.total_seconds() > 2 * TIMEOUT
    assert count(done, SegmentPlanned) > 1
    assert facts(done.output()) == facts(single)


class Endless:
    """A decoder that a film has taken over: it gives frames for ever."""

    def run(self, *_: object, **__: object) -> Iterator[memoryview]:
        for number in itertools.count():
            yield memoryview(FRAME_HEADER.pack(512 * number, 512, 0, False) + b"jpeg")


def test_a_decoder_that_gives_frames_for_ever_is_stopped(single: Path) -> None:
    done = pipeline(single)
    done.step()
    endless: Any = Endless()
    done.handlers["splits"] = Splitter(done.store, SplitterSettings(**CONNECTIONS), endless)
    while not done.dead:
        done.step()
    [(message, error)] = done.dead
    assert isinstance(message, SegmentPlanned)
    assert str(error) == "more than the 100 frames of segment 0 could be decoded"


def test_a_run_that_was_planned_without_chunks_goes_on(single: Path) -> None:
    done = pipeline(single)
    done.step()
    ref = done.runs.blobs("film").manifest
    before = Manifest.decode(done.store.read(ref)).model_copy(update={"chunk_frames": None, "version": 1})
    assert b"chunk" not in before.encode()
    done.store.delete([ref])
    done.store.write(ref, before.encode())
    done.runs.manifest.cache_clear()  # type: ignore[attr-defined]
    assert done.run().state is State.SUCCEEDED
    assert count(done, SegmentScored) == 1
    assert facts(done.output()) == facts(single)


def test_only_what_is_chunked_says_so(clip: Path) -> None:
    done = pipeline(clip, segment_frames=10)
    assert done.run().state is State.SUCCEEDED
    assert (done.manifest().version, done.manifest().chunk_frames) == (1, None)
    assert not any(b"chunk" in message.encode() for message in done.handled)


def test_ids_tell_chunks_apart() -> None:
    for kind in (SegmentPlanned, SegmentScored, SegmentEncoded):
        ids = [kind(run_id="a", segment=segment, chunk=chunk).message_id for segment in (1, 11) for chunk in (0, 1, 11)]
        assert len(set(ids)) == 6
        assert ids[0] == kind(run_id="a", segment=1).message_id


@given(segment=st.integers(1, 3000), about=st.integers(1, 400), pack=st.integers(1, 64), other=st.integers(1, 300))
def test_chunks_are_whole_packs_of_a_segment(segment: int, about: int, pack: int, other: int) -> None:
    golden = Manifest.decode(GOLDEN.read_bytes())
    size = chunk_size(about, pack)
    sizes = (other, segment)
    segments = tuple(Segment(start=n, end=n + 1, frames=count) for n, count in enumerate(sizes))
    manifest = golden.model_copy(update={"pack_frames": pack, "chunk_frames": size, "segments": segments})
    assert abs(size - about) <= max(pack / 2, pack - about)
    chunks = [manifest.chunk(1, number) for number in range(manifest.chunk_count(1))]
    assert [each.first for each in chunks] == [size * number for number in range(len(chunks))]
    assert chunks[-1].stop == segment
    assert len(chunks) == 1 or size / 2 <= chunks[-1].count <= 1.5 * size
    assert all(
        manifest.chunk_at(1, frame) == n for n, each in enumerate(chunks) for frame in (each.first, each.stop - 1)
    )
    assert list(manifest.chunks)[manifest.chunk_count(0) :] == [(1, number) for number in range(len(chunks))]
    with pytest.raises(InvalidMessage, match="chunk: segment 1 has"):
        manifest.chunk(1, len(chunks))


def test_a_chunk_of_parts_of_packs_is_refused() -> None:
    content = GOLDEN.read_bytes().replace(b'"pack_frames": 16', b'"pack_frames": 16, "chunk_frames": 24')
    with pytest.raises(InvalidMessage, match="whole packs"):
        Manifest.decode(content)
