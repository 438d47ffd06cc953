"""``framebrush.load``, and what ``framebrush.style`` refuses."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from support.pipeline import Pipeline
from support.video import make_video, painting, picture

import framebrush_cli.commands.load
from framebrush import load, style
from framebrush.contracts import BlobRef, StyleImage
from framebrush.errors import FramebrushError
from framebrush.media import decode_image, read_pack
from framebrush.storage import MemoryStore
from framebrush.styles import Library
from framebrush_cli.installation.styles import read_style
from framebrush_scorer.models import SHIPPED

ROOT = Path(__file__).parents[2]
FRAMES = np.stack([picture(number, 96, 64) for number in range(4)])


def scored(pipeline: Pipeline, run_id: str, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Let a run paint; return its frames before and after."""
    while "scored" not in {message.queue for message in pipeline.waiting}:
        pipeline.step()
    blobs = pipeline.runs.blobs(run_id)

    def frames(prefix: str) -> npt.NDArray[np.uint8]:
        (blob,) = pipeline.store.list("work", prefix)
        images, _ = read_pack(pipeline.store.read(blob.ref))
        return np.stack([decode_image(images[number], 64, 96)[..., ::-1] for number in sorted(images)])

    found = frames(blobs.pack_prefix(0)), frames(blobs.styled_prefix(0, 0))
    assert len(found[0]) == count
    return found


@pytest.mark.parametrize(
    "controls",
    [{}, {"strength": 0.7, "keep_colors": True}, {"scale": 2.0, "smoothing": 0.8}, {"strokes": False}],
    ids=lambda controls: "-".join(controls) or "plain",
)
def test_frames_are_painted_as_a_scorer_paints_them(tmp_path: Path, controls: dict[str, float]) -> None:
    film = make_video(tmp_path / "film.mp4", size=(96, 64), pts=range(0, 6 * 512, 512), audio=None)
    pipeline = Pipeline()
    ref = pipeline.put("film.mp4", film.read_bytes())
    pipeline.submit(ref, "film", model="starry", pack_codec="png", batch_frames=6, **controls)
    before, expected = scored(pipeline, "film", 6)
    assert (before != expected).any()
    made = load("starry", **controls)(before)  # type: ignore[arg-type]
    assert made.tobytes() == expected.tobytes()


def test_a_tensor_becomes_a_tensor() -> None:
    ink, given = load("ink"), torch.from_numpy(FRAMES.copy())
    painted = ink(given)
    assert painted.dtype == torch.uint8
    assert painted.device == given.device
    assert (painted.numpy() == ink(FRAMES)).all()
    assert (given.numpy() == FRAMES).all(), "the frames stay as they are"


@pytest.mark.parametrize(
    "frames",
    [FRAMES.astype(np.float32), FRAMES[0], FRAMES[..., :2], FRAMES[:0], torch.zeros(1, 3, 8, 8), "film.mp4"],
    ids=["float", "one", "two channels", "none", "channels first", "a name"],
)
def test_other_arrays_are_refused(frames: object) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 RGB frames \(N, H, W, 3\)"):
        load("identity")(frames)  # type: ignore[type-var]


@pytest.mark.parametrize("control", [{"strength": 1.5}, {"scale": 0.1}, {"smoothing": -1.0}, {"scale": float("nan")}])
def test_controls_have_ranges(control: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(control))} is .*, must be in"):
        load("identity", **control)  # type: ignore[arg-type]


def test_an_unknown_style_is_told_with_what_is_near() -> None:
    with pytest.raises(FramebrushError, match="did you mean starry"):
        load("stary")


def test_a_picture_paints_as_a_scorer_paints_like_it(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(painting(1))
    pipeline = Pipeline()
    pipeline.store.write(BlobRef(container="styles", name="mine.png"), painting(1))
    film = make_video(tmp_path / "film.mp4", size=(96, 64), pts=range(0, 4 * 512, 512), audio=None)
    ref = pipeline.put("film.mp4", film.read_bytes())
    images = (StyleImage(name="mine.png"),)
    pipeline.submit(ref, "film", model="picture", style_images=images, pack_codec="png", batch_frames=4)
    before, expected = scored(pipeline, "film", 4)
    assert (before != expected).any()
    assert load(tmp_path / "mine.png")(before).tobytes() == expected.tobytes()


def test_a_file_of_weights_and_a_style_of_the_library_paint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load("wave")(FRAMES)
    for suffix in (".safetensors", ".json"):
        shutil.copy((SHIPPED / "wave").with_suffix(suffix), tmp_path / f"mine{suffix}")
    mine = load(tmp_path / "mine.safetensors")
    assert mine.name == "mine"
    assert (mine(FRAMES) == expected).all()
    style, weights, _ = read_style(tmp_path / "mine.safetensors", "learned", None)
    library = Library(MemoryStore(), "styles")
    library.add(style, weights)
    monkeypatch.setattr(framebrush_cli.commands.load, "library_of", lambda _: library)
    assert (load("learned")(FRAMES) == expected).all()
    with pytest.raises(FramebrushError, match="did you mean learned"):
        load("lerned")


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("mime.png", r"mime.png: there is no such file: did you mean mine.png\?"),
        ("nowhere/mine.png", "nowhere/mine.png: there is no such file"),
        ("mine.safetensors", "mine.safetensors: there is no such file"),
        ("./folder", "folder is a folder: name a picture or a file of weights in it"),
        ("letter.jpg", "letter.jpg is no picture: a JPEG, PNG or WebP file is needed"),
        ("small.png", "8x8 pixels are too few for a style: 32x32 at least"),
        ("letter.pth", "letter.pth"),
        ("picture", "give the path of one"),
    ],
)
def test_what_is_no_style_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("mine.png").write_bytes(painting(1))
    Image.fromarray(picture(1, 8, 8)).save("small.png")
    for name in ("letter.jpg", "letter.pth"):
        Path(name).write_text("Dear all, " * 99)
    with pytest.raises(FramebrushError, match=words):
        load(named)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"film": "missing.mp4"}, FramebrushError, "there is no such file"),
        ({"style": "stary"}, FramebrushError, "did you mean starry"),
        ({"style": ["ink", "oil"], "output": "out.gif"}, FramebrushError, "must end in"),
        ({"style_image": "missing.png"}, FramebrushError, "there is no such file"),
        ({"crf": 99}, FramebrushError, "crf"),
        ({"output": "out.webm"}, FramebrushError, "webm"),
        ({"colour": "red"}, TypeError, "unexpected keyword argument 'colour'"),
        ({"model": "ink"}, TypeError, "unexpected keyword argument 'model'"),
    ],
)
def test_mistakes_are_told_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(b"nothing is read of it")
    with pytest.raises(error, match=words):
        style(**({"film": "film.mp4", "output": "out.mp4"} | arguments))  # type: ignore[arg-type]
    assert not Path(".framebrush").exists()


def bare(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the package of services/common and nothing else."""
    begin = f"import sys; sys.path.insert(0, {str(ROOT / 'services/common/src')!r})\n"
    return subprocess.run([sys.executable, "-I", "-S", "-c", begin + program], capture_output=True, text=True)


@pytest.mark.parametrize(("name", "package"), [("style", "cli"), ("load", "cli[preview]")])
def test_what_is_missing_is_named(name: str, package: str) -> None:
    done = bare(f"from framebrush import {name}")
    assert f"ImportError: framebrush.{name} is in the package framebrush-cli: run `make setup`" in done.stderr
    assert f"`uv pip install './services/{package}'`" in done.stderr


def test_the_package_itself_imports_nothing() -> None:
    done = bare("import framebrush, framebrush.errors; print([name for name in sys.modules if '_' in name[2:]])")
    assert "framebrush_" not in done.stdout
    assert done.returncode == 0, done.stderr
    assert bare("import framebrush; framebrush.nothing").stderr.strip().endswith("has no attribute 'nothing'")
