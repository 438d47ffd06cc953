"""docs/architecture.md against the code that it tells of."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from framebrush.contracts import FLOW

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
SHARED = "common/src/framebrush/"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
GENERATOR = ROOT / "tests" / "tools" / "architecture.py"


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def defined(path: Path) -> set[str]:
    """Return the names that a module defines: its functions, classes and constants, and the methods of its classes."""
    found = set[str]()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("row", table("Where is …"), ids=lambda row: row[0])
def test_what_the_page_names_is_where_it_says(row: list[str]) -> None:
    _, file, name = (cell.strip("`") for cell in row)
    paths = [ROOT / "services" / folder / file for folder in ("", SHARED)]
    (path,) = [path for path in paths if path.is_file()]
    assert name in defined(path)


def test_the_page_has_the_queues_of_the_flow() -> None:
    rows = [(queue, service, sends) for queue, service, sends, _ in table("The queues")]
    assert rows == [
        (f"`{queue}`", step.service, ", ".join(f"`{to}`" for to in step.sends)) for queue, step in FLOW.items()
    ]


def test_the_page_has_the_packages_in_the_order_of_their_imports() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    named = [match[1] for package, _ in table("The packages") if (match := re.match(r"\[`(\w+)`\]", package))]
    assert named == [package for layer in layers for package in layer.split(" | ")]


def test_the_picture_is_the_generators_and_names_every_package_and_queue(tmp_path: Path) -> None:
    picture = PICTURE.read_text()
    made = tmp_path / "made.svg"
    subprocess.run([sys.executable, GENERATOR, made], check=True)
    assert made.read_text() == picture, "run `python tests/tools/architecture.py`"
    packages = [match[1] for package, _ in table("The packages") if (match := re.match(r"\[`(\w+)`\]", package))]
    for name in [*FLOW, *packages]:
        assert f">{name}<" in picture
