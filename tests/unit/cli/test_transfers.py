"""Upload and download."""

from pathlib import Path

import pytest

from framebrush.contracts import BlobRef
from framebrush.errors import Conflict
from framebrush.storage import MemoryStore
from framebrush_cli.commands.get import download
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import find_input


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def names(store: MemoryStore) -> list[str]:
    return [blob.ref.name for blob in store.list("input")]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"one")
    return path


def test_a_file_is_uploaded_under_its_name(store: MemoryStore, video: Path) -> None:
    info = find_input(store, "input", str(video))
    assert (info.ref.name, store.read(info.ref)) == ("film.mp4", b"one")


def test_the_same_file_again_keeps_its_etag(store: MemoryStore, video: Path) -> None:
    assert find_input(store, "input", str(video)).etag == find_input(store, "input", str(video)).etag


def test_another_file_of_the_same_name_leaves_the_first_alone(store: MemoryStore, video: Path) -> None:
    first = find_input(store, "input", str(video))
    video.write_bytes(b"two")
    second = find_input(store, "input", str(video))
    assert store.read(first.ref) == b"one"
    assert store.read(second.ref) == b"two"
    assert find_input(store, "input", str(video)).etag == second.etag
    assert len(names(store)) == 2


def test_a_blob_that_somebody_else_put_there_is_left_alone(store: MemoryStore, video: Path) -> None:
    ref = BlobRef(container="input", name="film.mp4")
    store.write(ref, b"dropped by hand")
    info = find_input(store, "input", str(video))
    assert info.ref != ref
    assert store.read(ref) == b"dropped by hand"


def test_a_blob_by_its_name(store: MemoryStore) -> None:
    store.write(BlobRef(container="input", name="folder/a.mp4"), b"x")
    assert find_input(store, "input", "folder/a.mp4").size == 1


@pytest.mark.parametrize("name", ["empty.mp4", "blob.mp4"])
def test_empty_input_is_refused(store: MemoryStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.mp4").touch()
    store.write(BlobRef(container="input", name="blob.mp4"), b"")
    given = str(tmp_path / name) if name == "empty.mp4" else name
    with pytest.raises(CommandFailed, match=f"{name} is empty"):
        find_input(store, "input", given)
    assert names(store) == ["blob.mp4"]


def test_missing_input_and_folders_are_refused(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"no\.mp4: no such file here, and no such blob in the container 'input'"):
        find_input(store, "input", "no.mp4")
    with pytest.raises(CommandFailed, match=r"\./no\.mp4: no such file here"):
        find_input(store, "input", "./no.mp4")
    with pytest.raises(CommandFailed, match="is not a file"):
        find_input(store, "input", str(tmp_path))


OUTPUT = BlobRef(container="output", name="a.mp4")


def test_download_in_parts(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush_cli.commands.get.CHUNK", 3)
    store.write(OUTPUT, b"0123456789")
    assert download(store, OUTPUT, tmp_path / "a.mp4", "a") == 10
    assert (tmp_path / "a.mp4").read_bytes() == b"0123456789"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_download_that_breaks_off_leaves_the_old_file(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebrush_cli.commands.get.CHUNK", 3)
    store.write(OUTPUT, b"0123456789")
    (tmp_path / "a.mp4").write_bytes(b"old")
    read = store.read

    def replace_after_first(
        ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None
    ) -> bytes:
        data = read(ref, start, length, etag=etag)
        store.write(OUTPUT, b"another output")
        return data

    monkeypatch.setattr(store, "read", replace_after_first)
    with pytest.raises(Conflict):
        download(store, OUTPUT, tmp_path / "a.mp4", "a")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_output_of_another_run_is_not_downloaded(store: MemoryStore, tmp_path: Path) -> None:
    store.write(OUTPUT, b"mine", metadata={"framebrush_run": "a"})
    download(store, OUTPUT, tmp_path / "a.mp4", "a")
    store.write(OUTPUT, b"not mine", metadata={"framebrush_run": "b"})
    with pytest.raises(CommandFailed, match=r"output/a\.mp4 was replaced by an output of the run b"):
        download(store, OUTPUT, tmp_path / "b.mp4", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
