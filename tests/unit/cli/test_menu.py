"""The commands as a whole: what starts quickly, and that each can be loaded."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from framebrush.contracts import Options
from framebrush_cli.__main__ import app
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


def leaves() -> Iterator[tuple[str, Any]]:
    """Yield the names of all commands with those of groups, and the commands."""
    for name in sorted(COMMANDS.keys() - {"train", "quality"}):  # which pass --help on to the scorer's
        command = load(name)
        inner = getattr(command, "commands", None)
        yield from [(f"{name} {each}", inner[each]) for each in inner] if inner else [(name, command)]


@pytest.mark.parametrize(("name", "command"), [*leaves()], ids=lambda each: each if isinstance(each, str) else "")
def test_the_help_has_an_example_and_shows_all_of_what_it_was_given(
    name: str, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "500")
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "500"}).output
    examples = [line for line in shown.splitlines() if f"framebrush {name}" in line and "Usage" not in line]
    assert examples
    assert not [line for line in examples if "`" in line], "it is text, and no block of code"
    words = " ".join(shown.split())
    for option in command.params:  # a bracket is no markup
        for default in re.findall(r"\[default: [^]]*\]", getattr(option, "help", None) or ""):
            assert default in words


def test_the_defaults_in_the_help_are_those_of_runs() -> None:
    told = {
        each.name: re.search(r"\[default: (.*)\]$", each.help or "")
        for each in load("submit").params
        if hasattr(each, "help")
    }
    for name, field in Options.model_fields.items():
        default, match = field.default, told.get(name)
        if match and default is not None and not isinstance(default, bool):
            assert match[1] == (f"{default:g}" if isinstance(default, float) else str(default))
