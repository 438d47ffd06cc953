"""A run with a page, which several tests look at."""

from typing import Any

import pytest
from support.pages import figures_in, page_of, run
from support.pipeline import Pipeline
from support.video import make_video


@pytest.fixture(scope="package")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """48 frames with sound, in four groups of pictures."""
    folder = tmp_path_factory.mktemp("film")
    return make_video(folder / "film.mp4", size=(320, 180)).read_bytes()


@pytest.fixture(scope="package")
def pipeline(film: bytes) -> Pipeline:
    return run(film, model="identity", more_models=("ink",))


@pytest.fixture(scope="package")
def page(pipeline: Pipeline) -> str:
    return page_of(pipeline)


@pytest.fixture(scope="package")
def figures(page: str) -> dict[str, Any]:
    return figures_in(page)
