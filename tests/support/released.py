"""The release before this one: its source, and how its services run beside those of this checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

COMMIT = "d08566309588e80c87d463d088ef015e3791752b"
"""Version 0.1.0, which was never tagged: it is the release before until there is a tag."""


def unpack(folder: Path) -> Path:
    """Unpack the services of the release before into ``folder``, and return the folder.

    They run with the libraries of this checkout's environment, which holds all that they need. The test is skipped
    where git or the history is missing.
    """
    subprocess.run(
        ["tar", "--extract", "--directory", folder], input=_git("archive", _commit(), "services"), check=True
    )
    return folder


def python_path(folder: Path) -> dict[str, str]:
    """Return the variable with which Python finds the packages in ``folder`` before those that are installed."""
    return {"PYTHONPATH": os.pathsep.join(map(str, sorted(folder.glob("services/*/src"))))}


def places(packages: Iterable[str], environment: dict[str, str]) -> list[Path]:
    """Return the folder of each package, as a Python process with this environment finds it."""
    script = "import importlib.util, sys; [print(importlib.util.find_spec(name).origin) for name in sys.argv[1:]]"
    command = [sys.executable, "-c", script, *packages]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return [Path(line).parent for line in done.stdout.splitlines()]


def _commit() -> str:
    """Return the newest tag of a release before this commit."""
    tags = _git("tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD", "--no-contains", "HEAD")
    return tags.decode().splitlines()[0] if tags.strip() else COMMIT


def _git(*arguments: str) -> bytes:
    program = shutil.which("git")
    if program is None:
        pytest.skip("the source of the release before is needed, and git is missing")
    done = subprocess.run([program, "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the source of the release before is needed: {done.stderr.decode().strip()}")
    return done.stdout
