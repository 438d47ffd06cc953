"""Inputs that cannot become a run: each ends with a status that says why."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from support.film import Film, Sound
from support.mutations import mutate
from support.pipeline import Pipeline

from framebrush.contracts import BlobRef, State


def failure(pipeline: Pipeline) -> tuple[str, str]:
    status = pipeline.run()
    assert status.state is State.FAILED
    assert status.error is not None and status.ended is not None
    return status.error.reason, status.error.description


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"hello, world\n" * 1000, "not a readable video"), (b"\x00" * 100_000, "not a readable video")],
)
def test_not_a_video(data: bytes, words: str) -> None:
    pipeline = Pipeline()
    pipeline.submit(pipeline.put("nonsense.mp4", data))
    reason, description = failure(pipeline)
    assert reason == "invalid_video"
    assert words in description and "input/nonsense.mp4" in description


def test_missing_blob() -> None:
    pipeline = Pipeline()
    pipeline.submit(BlobRef(container="input", name="nowhere.mp4"))
    reason, description = failure(pipeline)
    assert (reason, "input/nowhere.mp4" in description) == ("blob_not_found", True)


def test_sound_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pipeline = Pipeline()
    pipeline.submit(pipeline.put("sound.mp4", path.read_bytes()))
    assert failure(pipeline)[0] == "invalid_video"


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_truncated(video: Callable[..., Path], part: float, name: str) -> None:
    flags = {"movflags": "+faststart"} if name.endswith("mp4") else None
    data = video(name, size=(160, 120), options=flags).read_bytes()
    pipeline = Pipeline()
    pipeline.submit(pipeline.put(name, data[: int(len(data) * part)]))
    assert failure(pipeline)[0] == "invalid_video"


def test_overwritten_in_mid_run(clip: Path) -> None:
    pipeline = Pipeline(segment_frames=10)
    ref = pipeline.put(clip.name, clip.read_bytes())
    pipeline.submit(ref, run_id="mine")
    pipeline.step()
    pipeline.store.write(ref, clip.read_bytes()[:-1])
    assert failure(pipeline)[0] == "input_changed"


def test_a_bad_video_does_not_harm_a_good_one(clip: Path) -> None:
    pipeline = Pipeline(segment_frames=10)
    pipeline.submit(pipeline.put("bad.mp4", b"no video"), run_id="bad")
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), run_id="good")
    while pipeline.waiting:
        pipeline.step()
    assert pipeline.runs.status("good").state is State.SUCCEEDED
    assert pipeline.runs.status("bad").state is State.FAILED


def test_a_stream_that_begins_behind_a_seek_is_refused(tmp_path: Path) -> None:
    film = Film(sounds=(Sound("aac", rate=44100),)).write(tmp_path / "film.flv").read_bytes()
    pipeline = Pipeline(segment_frames=8)
    pipeline.submit(pipeline.put("film.flv", mutate(film, 109)[0]))
    status = pipeline.run()
    assert status.state is State.FAILED and status.error is not None
    assert "a stream begins in the middle" in status.error.description
