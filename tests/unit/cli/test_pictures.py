"""Style pictures on the command line."""

from pathlib import Path

import pytest

from framebrush.contracts import BlobRef, StyleImage
from framebrush.storage import MemoryStore
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import NamedPicture

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Große Welle.PNG"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize(("suffix", "weight"), [("", 1.0), ("=0.4", 0.4), ("=3", 3.0), ("=1e-3", 1e-3)])
def test_a_file_is_uploaded_once_under_its_content(file: Path, suffix: str, weight: float) -> None:
    store = MemoryStore()
    picture = NamedPicture.read(f"{file}{suffix}")
    assert picture.image.weight == weight
    assert picture.image.name.startswith("Große Welle-") and picture.image.name.endswith(".png")
    first = picture.find(store, "styles")
    assert store.read(first.ref) == PNG
    assert NamedPicture.read(str(file)).find(store, "styles") == first
    file.write_bytes(PNG + b"!")
    assert NamedPicture.read(str(file)).find(store, "styles").ref != first.ref


def test_a_file_elsewhere_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "below").mkdir()
    monkeypatch.chdir(file.parent / "below")
    assert NamedPicture.read(f"../{file.name}").content == PNG


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "1001"])
def test_a_weight_has_a_range(file: Path, weight: str) -> None:
    with pytest.raises(CommandFailed, match=r"--style-image .*: weight: "):
        NamedPicture.read(f"{file}={weight}")


def test_a_blob_is_named_as_it_is() -> None:
    store, ref = MemoryStore(), BlobRef(container="styles", name="old/wave.jpg")
    store.write(ref, PNG)
    picture = NamedPicture.read("old/wave.jpg=0.5")
    assert picture.image == StyleImage(name="old/wave.jpg", weight=0.5)
    assert picture.find(store, "styles").ref == ref


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wave.jpg=0", "greater than 0"),
        ("../wave.jpg", "no part of the name"),
        ("film.mp4", "film.mp4 is no picture: a JPEG, PNG or WebP file is needed"),
        ("film.mp4=2", "film.mp4 is no picture"),
        ("film.mp4==1e-3", "--style-image film.mp4==1e-3: '=1e-3' is no weight, which is a number above 0"),
        ("film.mp4=", "'' is no weight"),
        ("film.mp4=a=0.5", "'a=0.5' is no weight"),
        ("film.mp4=-1", "no picture"),
    ],
)
def test_what_cannot_be_a_picture_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(b"no picture")
    with pytest.raises(CommandFailed, match=words):
        NamedPicture.read(text)


def test_what_is_nowhere_is_said() -> None:
    with pytest.raises(CommandFailed, match=r"wave\.jpg: no such file here, and no such blob in .*'styles'"):
        NamedPicture.read("wave.jpg").find(MemoryStore(), "styles")
