"""Packages that are built hold all that they need: they run without the checkout, beside the libraries of this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheels of common, the command line and the scorer are unpacked."""
    folder, wheels = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("wheels")
    for name in ("common", "cli", "scorer"):
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
        subprocess.run(build, cwd=SERVICES / name, check=True, capture_output=True)
    for wheel in wheels.glob("*.whl"):
        subprocess.run([sys.executable, "-m", "zipfile", "--extract", str(wheel), str(folder)], check=True)
    return folder


def run(site: Path, program: str) -> str:
    begin = f"import framebrush, framebrush_cli, framebrush_scorer as s; assert s.__file__.startswith({str(site)!r})\n"
    own = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-P", "-c", begin + program], env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_shipped_style_paints(site: Path) -> None:
    program = "import numpy as np; print(framebrush.load('wave')(np.zeros((1, 32, 48, 3), np.uint8)).shape)"
    assert run(site, program) == "(1, 32, 48, 3)\n"


def test_the_command_has_its_files(site: Path) -> None:
    program = "from framebrush_cli import local; import json; print(len(json.load(local.QUEUES_FILE.open())['queues']))"
    assert run(site, program) == "7\n"
    page = SERVICES / "cli/src/framebrush_cli/ui/page"
    assert {path.name for path in (site / "framebrush_cli/ui/page").iterdir()} == {path.name for path in page.iterdir()}
    assert "wave" in run(site, "from framebrush_cli.cards import shipped_cards; print(*dict(shipped_cards()))")
    assert list(site.glob("*/py.typed"))
