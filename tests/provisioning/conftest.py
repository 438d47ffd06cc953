"""Installations as the program builds them."""

from fractions import Fraction

import pytest
from provisioning.built import EVERYTHING, Built, build
from support.video import make_video


@pytest.fixture(scope="session")
def plain() -> Built:
    return build()


@pytest.fixture(scope="session")
def private() -> Built:
    return build(**EVERYTHING)


@pytest.fixture(scope="session", params=["plain", "private"])
def built(request: pytest.FixtureRequest, plain: Built, private: Built) -> Built:
    return {"plain": plain, "private": private}[request.param]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Twelve small frames."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make_video(
        path, size=(64, 48), pts=range(0, 12 * 512, 512), time_base=Fraction(1, 12800), gop=3
    ).read_bytes()
