"""Inputs that are too much, and decoders that die of them: the run says why, and nobody else notices."""

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.film import Film, Sound
from support.fuzz import films, fuzz, sandboxes
from support.pipeline import Pipeline
from support.video import make_video

from framebrush.contracts import RunEncoded, RunRequest, SegmentPlanned, State
from framebrush.errors import Crashed
from framebrush.sandbox import Sandbox

NEVER = 1e-9
"""Seconds."""
GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def failure(pipeline: Pipeline, run_id: str = "bad") -> tuple[str, str]:
    while pipeline.waiting:
        pipeline.step()
    status = pipeline.runs.status(run_id)
    assert status.state is State.FAILED
    assert status.error is not None and status.ended is not None
    return status.error.reason, status.error.description


def submit(pipeline: Pipeline, film: Path, run_id: str = "bad") -> None:
    pipeline.submit(pipeline.put(film.name, film.read_bytes()), run_id=run_id)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_pixels": 64 * 48 - 1}, "64x48 pixels are more than 3071"),
        ({"max_duration": 1.5}, "2 s are longer than 1.5 s"),
        ({"max_frames": 40}, "at least 48 frames are more than 40"),
        ({"max_streams": 1}, "2 streams are more than 1"),
        ({"max_plan_time": NEVER}, "input/clip.mp4: reading its packets took longer than 1e-09 s"),
        ({"max_frame_time": NEVER}, "input/clip.mp4: decoding a frame took longer than 1e-09 s"),
        ({"max_join_time": NEVER}, "input/clip.mp4: joining took longer than 1e-09 s"),
    ],
)
def test_limits(clip: Path, limits: dict[str, float], words: str) -> None:
    ((limit, _),) = limits.items()
    pipeline = Pipeline(stitcher=limits) if limit == "max_join_time" else Pipeline(**limits)
    submit(pipeline, clip)
    words = f"{words}: if that is wanted, raise FRAMEBRUSH_{limit.upper()}"
    assert failure(pipeline) == ("limit_exceeded", words)


def test_limits_that_are_just_met(clip: Path) -> None:
    pipeline = Pipeline(max_pixels=64 * 48, max_duration=2.0, max_frames=48, max_streams=2)
    submit(pipeline, clip, "good")
    assert pipeline.run().state is State.SUCCEEDED


def test_memory(tmp_path: Path) -> None:
    film = make_video(tmp_path / "large.mp4", size=(5120, 2880), pts=(0, 512), audio=None)
    pipeline = Pipeline(sandbox=Sandbox(256))
    submit(pipeline, film)
    reason, description = failure(pipeline)
    words = "the input takes more memory than 256 MB: if that is wanted, raise FRAMEBRUSH_DECODER_MEMORY"
    assert (reason, description) == ("limit_exceeded", words)


def test_a_file_that_holds_more_than_its_size(tmp_path: Path) -> None:
    """All samples of an MP4 are the same bytes, each nearly the whole file: copied, they would fill a disk."""
    film = Film(codec="mjpeg", pixel_format="yuvj420p", options={"qmin": "1"}, sounds=(Sound("pcm_s16le"),))
    path = film.write(tmp_path / "bomb.mov")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    sizes, offsets = data.index(b"stsz") + 16, data.index(b"stco") + 12
    for sample in range(int.from_bytes(data[sizes - 4 : sizes], "big")):
        data[sizes + 4 * sample : sizes + 4 * sample + 4] = (data.index(b"moov") - start - 8).to_bytes(4, "big")
    for chunk in range(int.from_bytes(data[offsets - 4 : offsets], "big")):
        data[offsets + 4 * chunk : offsets + 4 * chunk + 4] = start.to_bytes(4, "big")
    path.write_bytes(data)
    pipeline = Pipeline()
    submit(pipeline, path)
    reason, description = failure(pipeline)
    assert (reason, "the file holds more than its size" in description) == ("invalid_video", True), description


STEPS = pytest.mark.parametrize("step", [RunRequest, SegmentPlanned, RunEncoded])
"""The messages for which an input is opened."""


def strike(pipeline: Pipeline, step: type, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on until that step; the first decoder that reads the input then gets this signal."""
    while not isinstance(pipeline.waiting[0], step):
        pipeline.step()
    read = pipeline.store.read

    def read_and_strike(*arguments: Any, **options: Any) -> bytes:
        if arguments[0].container == "input":
            monkeypatch.undo()
            struck = sandboxes()
            for process in struck:
                process.send_signal(number)
            for process in struck:  # On a busy machine a task could end before its signal comes.
                with suppress(psutil.NoSuchProcess):
                    while process.status() not in GONE:
                        time.sleep(0.001)
        return read(*arguments, **options)

    monkeypatch.setattr(pipeline.store, "read", read_and_strike)


@STEPS
def test_a_decoder_that_crashes(clip: Path, step: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline = Pipeline(stitcher={"scratch": tmp_path})
    submit(pipeline, clip)
    strike(pipeline, step, signal.SIGSEGV, monkeypatch)
    assert failure(pipeline) == ("invalid_video", "input/clip.mp4: the decoder crashed (SIGSEGV)")
    assert list(tmp_path.iterdir()) == []
    submit(pipeline, clip, "good")
    while pipeline.waiting:
        pipeline.step()
    assert pipeline.runs.status("good").state is State.SUCCEEDED


@STEPS
def test_a_decoder_that_is_killed(clip: Path, step: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline = Pipeline(stitcher={"scratch": tmp_path})
    submit(pipeline, clip, "good")
    strike(pipeline, step, signal.SIGKILL, monkeypatch)
    message = pipeline.waiting[0]
    with pytest.raises(Crashed, match=r"input/clip\.mp4: the decoder was killed \(SIGKILL\)"):
        pipeline.step()
    assert list(tmp_path.iterdir()) == []
    pipeline.waiting.append(message)  # as the worker does after any error that is not the message's fault
    assert pipeline.run().state is State.SUCCEEDED


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return films(tmp_path_factory.mktemp("films"))


def check(originals: dict[str, bytes], count: int) -> None:
    tally = fuzz(originals, range(20_000, 20_000 + count))
    assert sum(tally.outcomes.values()) == count
    assert not [outcome for outcome in tally.outcomes if outcome.startswith(("handler_failed", "killed"))], tally.notes
    assert (tally.left, tally.leaked) == (0, set())
    assert tally.slowest < 60
    assert tally.memory < 500e6


def test_mutated_films(originals: dict[str, bytes]) -> None:
    check(originals, 40)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thousands_of_mutated_films(originals: dict[str, bytes]) -> None:
    check(originals, 5000)
