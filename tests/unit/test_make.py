"""What `make setup` installs, with and without a GPU; a stand-in for uv writes down what it is asked for."""

import http.server
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.web import running

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "uv.lock").read_text()
HEAVY = set(re.findall(r'^name = "(nvidia-[\w-]+|cuda-[\w-]+|triton)"$', LOCK, re.MULTILINE))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """An index of wheels that answers."""
    (tmp_path / "index/torch").mkdir(parents=True)

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "index"))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    with running(server):
        yield f"http://127.0.0.1:{server.server_port}"


def asked(folder: Path, *variables: str) -> tuple[list[list[str]], str]:
    """Make the environment; return the calls of uv, and what is said."""
    for name in ("Makefile", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").mkdir()
    uv, calls = folder / "uv", folder / "calls"
    uv.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n')
    uv.chmod(0o755)
    command = ["make", ".venv/.stamp", f"UV={uv}", *variables]
    own = {name: value for name, value in os.environ.items() if not name.startswith("TORCH_")}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split() for line in calls.read_text().splitlines()], done.stderr


def left_out(call: list[str]) -> set[str]:
    return {name for option, name in pairwise(call) if option == "--no-install-package"}


def test_with_a_gpu_all_of_the_lock_is_installed(tmp_path: Path, index: str) -> None:
    [call], said = asked(tmp_path, f"GPU={tmp_path}", f"CPU_INDEX={index}")
    assert call[:3] == ["sync", "--locked", "--all-packages"]
    assert not left_out(call)
    assert said == ""


@pytest.mark.parametrize("way", ["GPU=/nowhere", "TORCH_INDEX"])
def test_without_one_torch_comes_from_an_index_without_cuda(tmp_path: Path, index: str, way: str) -> None:
    chosen = [way, f"CPU_INDEX={index}"] if "=" in way else [f"TORCH_INDEX={index}"]
    (sync, install), said = asked(tmp_path, *chosen)
    assert len(HEAVY) > 10
    assert left_out(sync) == HEAVY | {"torch", "torchvision"}
    [torch] = re.findall(r'^name = "torch"\nversion = "(.*)"$', LOCK, re.MULTILINE)
    assert install[:2] == ["pip", "install"]
    assert {"--no-deps", index, f"torch=={torch}"} <= set(install)
    assert said == ""


def test_what_it_costs_is_said_if_no_such_index_answers(tmp_path: Path) -> None:
    [call], said = asked(tmp_path, "GPU=/nowhere", "CPU_INDEX=http://127.0.0.1:9")
    assert left_out(call) == {"triton"}
    assert "torch comes with CUDA, 3 GB more" in said
    assert "TORCH_INDEX=URL" in said
