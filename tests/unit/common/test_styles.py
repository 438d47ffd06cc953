"""The library of styles, in memory."""

import hashlib
from datetime import UTC, datetime

import pytest

from framebrush.contracts import BlobRef, Catalogue, LibraryStyle, Options, RunRequest, derive_run_id
from framebrush.storage import MemoryStore
from framebrush.styles import OURS, InvalidWeights, Library, UnknownModel, known_models


def style(name: str, weights: bytes, **fields: object) -> LibraryStyle:
    digest = hashlib.sha256(weights).hexdigest()
    made = {"added": datetime(2026, 11, 2, tzinfo=UTC), "title": f"{name} it is", "card": "{}"}
    return LibraryStyle(name=name, digest=digest, size=len(weights), **(made | fields))  # type: ignore[arg-type]


@pytest.fixture
def library() -> Library:
    return Library(MemoryStore(), "styles")


def test_what_was_added_is_found_and_pinned(library: Library) -> None:
    wave, night = style("wave", b"wave", natural_edge=360), style("night", b"night", preview=True)
    library.add(wave, b"wave")
    library.add(night, b"night", b"png")
    assert library.names() == ["night", "wave"]
    assert list(library.styles()) == [night, wave]
    assert library.find("wave") == wave
    assert library.find("absent") is None
    assert library.weights(wave.digest) == b"wave"
    assert (library.preview(wave), library.preview(night)) == (None, b"png")
    assert library.pin(["wave", "identity", "picture", "gouache", "night"]) == {
        "wave": wave.pinned,
        "night": night.pinned,
    }


def test_a_style_that_is_replaced_or_removed_leaves_pinned_weights(library: Library) -> None:
    library.add(style("wave", b"old"), b"old")
    old = library.pin(["wave"])["wave"]
    library.add(style("wave", b"new"), b"new")
    assert library.pin(["wave"])["wave"] != old
    library.remove("wave")
    library.remove("wave")
    assert library.pin(["wave"]) == {}
    assert library.weights(old.digest) == b"old"


@pytest.mark.parametrize("found", [b"", b"cut", b"other bytes", None])
def test_weights_that_are_not_those_that_were_added(found: bytes | None) -> None:
    store = MemoryStore()
    library, added = Library(store, "styles"), style("wave", b"whole weights")
    library.add(added, b"whole weights")
    ref = BlobRef(container="styles", name=f"weights/{added.digest}.safetensors")
    store.delete([ref])
    if found is not None:
        store.write(ref, found)
    with pytest.raises(InvalidWeights, match="weights"):
        library.pin(["wave"])
    with pytest.raises(InvalidWeights, match="weights"):
        library.weights(added.digest)


def test_weights_of_the_same_size_with_other_bytes() -> None:
    store = MemoryStore()
    library, added = Library(store, "styles"), style("wave", b"abc")
    library.add(added, b"abc")
    store.write(BlobRef(container="styles", name=f"weights/{added.digest}.safetensors"), b"abd")
    library.pin(["wave"])
    with pytest.raises(InvalidWeights, match="not those that were added"):
        library.weights(added.digest)


def test_a_damaged_entry_hides_no_other(library: Library) -> None:
    library.add(style("wave", b"wave"), b"wave")
    library._store.write(BlobRef(container="styles", name="library/bad.json"), b'{"name": "bad"')
    assert [each.name for each in library.styles()] == ["wave"]
    with pytest.raises(InvalidWeights, match="the library's entry of bad is damaged"):
        library.pin(["bad"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stary", "unknown model 'stary': did you mean starry?"),
        ("Starry", "did you mean starry?"),
        ("waave", "did you mean wave?"),
        ("zzz", "unknown model 'zzz'; there are: comic, crimson, gouache"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(library: Library, name: str, words: str) -> None:
    library.add(style("wave", b"wave"), b"wave")
    assert library.pin([name]) == {}  # as long as nobody has said which models there are
    library.write_catalogue(Catalogue(models=(*OURS, "mine"), complete=False))
    assert library.pin([name]) == {}
    library.write_catalogue(Catalogue(models=(*OURS, "mine")))
    assert library.pin(["mine", "starry", "picture", "wave"]).keys() == {"wave"}
    with pytest.raises(UnknownModel) as raised:
        library.pin(["mine", name])
    assert words in str(raised.value)


def test_an_error_about_a_thousand_styles_is_short(library: Library) -> None:
    library.write_catalogue(Catalogue(models=tuple(f"style-{number}" for number in range(1000))))
    with pytest.raises(UnknownModel) as raised:
        library.pin(["style"])
    assert len(str(raised.value)) < 600
    assert "and 970 more" in str(raised.value)


def test_files_of_a_folder_are_known(tmp_path: object) -> None:
    assert set(OURS) <= set(known_models())


def test_the_version_of_a_style_is_in_the_id_of_a_run() -> None:
    request = RunRequest(input=BlobRef(container="input", name="film.mp4"), options=Options(model="wave"))
    ids = {derive_run_id(request.input, "etag", request.options, None, versions) for versions in ([], ["a"], ["b"])}
    assert len(ids) == 3
