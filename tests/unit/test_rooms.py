"""Which package may import which, and what each of them exports."""

import ast
import importlib
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    ".".join(path.parent.parts[path.parts.index("src") + 1 :])
    for path in ROOT.glob("services/*/src/framebrush*/**/__init__.pyi")
)


def test_imports_go_one_way() -> None:
    """The contracts are in pyproject.toml, section tool.importlinter."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_belongs_there_and_exports_what_exists(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    assert len(module.__doc__.split()) > 8
    modules = {path.stem for path in Path(str(module.__file__)).parent.glob("*.py")}
    for name in module.__all__:
        assert getattr(module, name) is not None
        # Once a module is imported it is an attribute of its package, and would hide an export of the same name.
        assert isinstance(getattr(module, name), ModuleType) or name not in modules


@cache
def imported() -> dict[str, set[str]]:
    """The names that the whole repository imports, by the module that they are imported from."""
    found = defaultdict[str, set[str]](set)
    programs = ROOT.glob("services/common/src/framebrush/__init__.pyi")  # what programs import, from wherever it is
    for path in [*programs, *ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        if "node_modules" not in path.parts:
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    found[node.module] |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_exports_is_used_elsewhere(package: str) -> None:
    """A name that nobody outside needs stays private to its package."""
    assert set(importlib.import_module(package).__all__) == imported()[package]
