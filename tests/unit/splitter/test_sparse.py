"""What a plan reads of a film whose index lists all packets."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from support.film import Film
from support.pipeline import Pipeline
from support.torture import CASES, Case
from support.torture.captions import captions

from framebrush.contracts import BlobRef, Options, Report, RunRequest, State
from framebrush.errors import PermanentError
from framebrush.media import CAPTIONS_LOST
from framebrush.sandbox import SandboxedFile
from framebrush.storage import BlobInfo, BlobReader, MemoryStore
from framebrush_splitter import sparse, tasks
from framebrush_splitter.settings import Limits
from framebrush_splitter.sparse import SparseFile
from framebrush_splitter.tasks import plan_run

NOW = datetime.now(UTC)
REF = BlobRef(container="input", name="film.mp4")


class Counting(MemoryStore):
    """Counts the bytes that are read."""

    count = 0

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        data = super().read(ref, start, length, etag=etag)
        self.count += len(data)
        return data


def film(path: Path, frames: int = 600, codec: str = "libx264", **changes: Any) -> Path:
    """Noise, 23 KB a frame, with a keyframe in 250 frames, and sound."""
    noise, samples = np.random.default_rng(0), np.zeros((1, 2 * 1920), np.int16)
    with av.open(str(path), "w", options=changes.pop("muxer", {})) as container:
        video: Any = container.add_stream(codec, rate=25, options={"preset": "ultrafast", "qp": "0", "g": "250"})
        video.width, video.height, video.pix_fmt = 128, 80, "yuv420p"
        sound: Any = container.add_stream(changes.pop("audio", "aac"), rate=48000, layout="stereo")
        for number in range(frames):
            picture = noise.integers(0, 256, (120, 128), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            block = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.pts, block.pts, block.sample_rate = number, 1920 * number, 48000
            container.mux([*video.encode(frame), *sound.encode(block)])
        container.mux([*video.encode(None), *sound.encode(None)])
    return path


def plan(path: Path) -> tuple[dict[str, Any], float]:
    """The plan of a film, or the words of its refusal; and which part of the film was read for it."""
    store, request = Counting(), RunRequest(run_id="run", input=REF, options=Options(model="identity"))
    etag, size = store.write(REF, path.read_bytes()), path.stat().st_size
    source, blob = BlobReader(store, REF, size, etag), BlobInfo(REF, size, etag, NOW)
    try:
        (made,) = plan_run(
            cast(SandboxedFile, source), request, blob, Limits(),
            segment_frames=5, chunk_frames=250, output_container="output", nvenc=False,
        )  # fmt: skip
    except PermanentError as error:
        return {"refused": str(error)}, 0.0
    return json.loads(made) | {"created": ""}, store.count / size


def certain(found: dict[str, Any]) -> dict[str, Any]:
    """What a plan says for sure: in pictures that it does not read there may be captions."""
    return {name: value for name, value in found.items() if name not in ("captions", "version")}


def plan_of_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The plan if everything is read."""
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "unneeded", lambda *_: [])
        return plan(path)[0]


def test_a_plan_reads_a_small_part_of_a_film_with_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "film.mp4", 3000)
    found, part = plan(path)
    assert certain(found) == certain(plan_of_all(path, monkeypatch))
    assert [segment["frames"] for segment in found["segments"]] == [250] * 12
    assert part <= 0.05


@pytest.mark.parametrize(
    "changes",
    [
        {"codec": "libx265"},
        {"audio": "libmp3lame"},
        {"muxer": {"movflags": "faststart"}},
        {"muxer": {"movflags": "frag_keyframe+empty_moov"}},
    ],
    ids=str,
)
def test_the_plan_is_the_same(changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "film.mp4", **changes)
    found, _ = plan(path)
    assert certain(found) == certain(plan_of_all(path, monkeypatch))


def test_captions_that_a_plan_does_not_see_are_carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked for where the film is decoded, by services that know of them only."""
    path = film(tmp_path / "film.mp4")
    found, all_read = plan(path)[0], plan_of_all(path, monkeypatch)
    assert (found["captions"], found["version"], "captions" in all_read) == (True, 5, False)
    captioned = captions(tmp_path / "captions.mp4", Film(sounds=()), every=5)
    assert plan_of_all(captioned, monkeypatch)["captions"]


class Noise(Film):
    """A film of which a plan reads a small part only."""

    def write(self, path: Path) -> Path:
        return film(path, 300)


def test_captions_that_a_plan_does_not_see_and_an_output_does_not_carry_are_told(tmp_path: Path) -> None:
    """The only frame with captions is none of those that a plan reads."""
    path = captions(tmp_path / "captions.mp4", Noise(), every=1000, first=100)
    pipeline = Pipeline()
    pipeline.submit(pipeline.put("captions.mp4", path.read_bytes()), codec="vp9", preset="ultrafast")
    status = pipeline.run()
    assert status.state is State.SUCCEEDED, status.error
    manifest = pipeline.manifest()
    assert not any("captions" in note for note in manifest.notes), "the plan did not see them"
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(manifest.run_id).report))
    assert [note for note in report.notes if "captions" in note] == [CAPTIONS_LOST]


def test_a_film_that_is_cut_short_is_refused_all_the_same(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", muxer={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-1_000_000])
    assert "cut short" in plan(path)[0]["refused"]


@pytest.mark.parametrize(
    "case", [case for case in CASES if Path(case.file).suffix in (".mp4", ".mov")], ids=lambda case: case.file
)
def test_films_of_the_torture_set_have_the_same_plan(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are too short for anything to be left out, unless the least is a byte."""
    path = case.write(tmp_path)
    wanted = plan_of_all(path, monkeypatch)
    monkeypatch.setattr(sparse, "LEAST", 1)
    monkeypatch.setattr(sparse, "SHARE", 0)
    assert certain(plan(path)[0]) == certain(wanted)


def test_what_is_left_out_is_zeros() -> None:
    store = Counting()
    reader = BlobReader(store, REF, 10, store.write(REF, b"0123456789"))
    file = SparseFile(reader)
    assert file.read() == b"0123456789"
    file.leave_out([(2, 4), (7, 9)])
    file.seek(0)
    assert file.read() == b"01" + bytes(2) + b"456" + bytes(2) + b"9"
    file.seek(3)
    assert file.read(2) == b"\0"
    assert file.read(9) == b"456"
