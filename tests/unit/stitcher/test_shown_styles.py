"""The styles in the report: their titles, and their pictures."""

import base64
from datetime import UTC, datetime

import cv2
import numpy as np
from support.pipeline import SANDBOX, Pipeline
from support.video import painting

from framebrush.contracts import Catalogue, LibraryStyle
from framebrush.storage import MemoryStore
from framebrush.styles import Library
from framebrush_stitcher.report.styles import Styles

MINE = LibraryStyle(
    name="mine", digest="a" * 64, size=3, added=datetime(2026, 11, 2, tzinfo=UTC), title="My own", preview=True,
    card="{}",
)  # fmt: skip


def test_a_style_of_the_library_has_its_title_and_preview(pipeline: Pipeline) -> None:
    store = MemoryStore()
    library, styles = Library(store, "styles"), Styles(store, "styles", SANDBOX)
    options = pipeline.manifest().options.model_copy(update={"model": "mine"})
    plan = {"model": "mine", "options": options, "styles": {"mine": MINE.pinned}}
    manifest = pipeline.manifest().model_copy(update=plan)
    library.add(MINE, b"abc", painting(1))
    library.write_catalogue(Catalogue(models=("ink",), titles={"ink": "Lines of ink"}))
    mine, ink = styles.of(manifest)
    assert (mine.title, mine.problem, ink.title, ink.pictures) == ("My own", "", "Lines of ink", [])
    (picture,) = mine.pictures
    image = cv2.imdecode(np.frombuffer(base64.b64decode(picture.image), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert max(image.shape) <= 160

    store.write(library.preview_ref(MINE.digest), b"no picture")
    assert "is no picture" in styles.of(manifest)[0].problem
    # The name stands for another style by now: neither its title nor its preview are those of the run.
    library.add(MINE.model_copy(update={"digest": "b" * 64, "title": "Another"}), b"abc", painting(2))
    assert (styles.of(manifest)[0].title, styles.of(manifest)[0].pictures) == ("", [])
