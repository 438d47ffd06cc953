"""Fixtures of the unit tests."""

import gc
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from support.video import make_video

from framebrush.messaging import run_context


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "long" not in config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes long: -m long"))


@pytest.fixture(scope="module", autouse=True)
def _collected() -> None:
    """Close the sockets that the SDK has left in tests of another folder: threads may have held them until now."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, 48 frames, four groups of pictures with B-frames, stereo sound."""
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Six small frames. Modules whose films must be of another kind have their own."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make_video(path, size=(64, 48), pts=range(0, 3072, 512), time_base=Fraction(1, 12800)).read_bytes()


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """Makes videos: ``video("name.mp4", **make_video's arguments)``."""
    return lambda name="video.mp4", **arguments: make_video(tmp_path / name, **arguments)


@pytest.fixture(autouse=True)
def no_run() -> Iterator[None]:
    """Let no test see the run that an earlier one in this process has bound, as a handler without a worker does."""
    with run_context(None):
        yield
