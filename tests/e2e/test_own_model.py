"""A model of one's own, in an image that begins with the scorer's, as docs/your-own-model.md has it."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.core, pytest.mark.timeout(300)]

DOCUMENT = Path(__file__).parents[2] / "docs/your-own-model.md"
PROJECT = """
[project]
name = "my-package"
version = "1"

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
PAINT = """
import numpy as np
from framebrush_scorer.models import load

frames = np.zeros((1, 32, 48, 3), np.uint8)
frames[:, :, 24:] = 255
assert load("edges")(frames).any()
"""


def test_the_image_of_the_document_paints(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package/__init__.py").write_text(blocks["python"])
    (tmp_path / "pyproject.toml").write_text(PROJECT + blocks["toml"])
    (tmp_path / "Dockerfile").write_text(blocks["dockerfile"])
    name, flags = "framebrush-own-model", shlex.split(os.environ.get("DOCKER_BUILD_FLAGS", ""))
    subprocess.run(["docker", "build", "--quiet", *flags, "--tag", name, tmp_path], check=True)
    try:
        command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", name, "-c", PAINT]
        subprocess.run(command, check=True)
    finally:
        subprocess.run(["docker", "rmi", "--force", name], check=True, stdout=subprocess.DEVNULL)
