"""The styles in the report: their titles, and their pictures."""

import base64
from datetime import UTC, datetime

import cv2
import numpy as np
from support.pipeline import SANDBOX, Pipeline
from support.video import painting

from framebrush.contracts import PICTURE, Catalogue, LibraryStyle
from framebrush.storage import MemoryStore
from framebrush.styles import OURS, Library
from framebrush_stitcher.report.styles import Styles

MINE = LibraryStyle(
    name="mine", digest="a" * 64, size=3, added=datetime(2026, 11, 2, tzinfo=UTC), title="My own", preview=True,
    card="{}",
)  # fmt: skip


def pixels(image: str) -> "np.ndarray":  # type: ignore[type-arg]
    found = cv2.imdecode(np.frombuffer(base64.b64decode(image), np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


def test_every_style_that_ships_has_a_picture_of_its_own(pipeline: Pipeline) -> None:
    styles = Styles(MemoryStore(), "styles", SANDBOX)
    pictures = set()
    for name in OURS:
        options = pipeline.manifest().options.model_copy(update={"model": name})
        shown, *_ = styles.of(pipeline.manifest().model_copy(update={"model": name, "options": options}))
        assert not shown.problem
        if name in ("identity", PICTURE):
            assert not shown.pictures
        else:
            (picture,) = shown.pictures
            assert pixels(picture.image).shape == (90, 160, 3)
            assert len(picture.image) < 20_000, "all of them together are small beside the 3 MB of a page"
            pictures.add(picture.image)
    assert len(pictures) == len(OURS) - 2


def test_a_style_of_the_library_has_its_title_and_preview(pipeline: Pipeline) -> None:
    store = MemoryStore()
    library, styles = Library(store, "styles"), Styles(store, "styles", SANDBOX)
    options = pipeline.manifest().options.model_copy(update={"model": "mine"})
    plan = {"model": "mine", "options": options, "styles": {"mine": MINE.pinned}}
    manifest = pipeline.manifest().model_copy(update=plan)
    library.add(MINE, b"abc", painting(1))
    library.write_catalogue(Catalogue(models=("ink",), titles={"ink": "Lines of ink"}))
    mine, ink = styles.of(manifest)
    assert (mine.title, mine.problem, ink.title, ink.problem) == ("My own", "", "Lines of ink", "")
    for shown in (mine, ink):
        (picture,) = shown.pictures
        assert picture.caption == f"preview of {shown.model}"
        assert max(pixels(picture.image).shape) <= 160

    store.write(library.preview_ref(MINE.digest), b"no picture")
    assert "is no picture" in styles.of(manifest)[0].problem
    # The name stands for another style by now: neither its title nor its preview are those of the run.
    library.add(MINE.model_copy(update={"digest": "b" * 64, "title": "Another"}), b"abc", painting(2))
    assert (styles.of(manifest)[0].title, styles.of(manifest)[0].pictures) == ("", [])
