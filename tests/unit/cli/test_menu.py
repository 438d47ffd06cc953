"""The commands as a whole: what starts quickly, and that each can be loaded."""

import subprocess
import sys

import pytest

from framebrush_cli.menu import COMMANDS, load


def imported(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    program = f"""
import sys
sys.argv = ["framebrush", *{arguments!r}]
from framebrush_cli.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    return set(done.stderr.splitlines()[-1].split())


def test_the_version_imports_nothing_slow() -> None:
    found = imported("--version")
    assert "typer" in found
    assert not found & {"azure.core", "pydantic", "aiohttp", "numpy", "torch", "cv2", "av"}


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"], ["style", "--help"], ["dlq", "--help"]])
def test_help_imports_no_sdk(arguments: list[str]) -> None:
    found = imported(*arguments)
    assert "pydantic" in found
    assert not found & {"azure.storage.blob", "azure.servicebus", "aiohttp", "numpy", "torch"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.get_short_help_str(200)
