"""The notebook of the documents, run from its first cell to its last, with a stack of its own."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from framebrush_cli.local import Home

NOTEBOOK = Path(__file__).parents[2] / "docs" / "python.ipynb"


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning")  # of Jupyter's own
def test_the_notebook_runs_and_shows_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Jupyter writes for itself stays in the test's folder.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, 4)
    stored = [_kinds(cell) for cell in notebook.cells if cell.cell_type == "code"]
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [_kinds(cell) for cell in notebook.cells if cell.cell_type == "code"] == stored, "store it as it runs"
    assert sum("image/png" in kinds for kinds in stored) == 5
    assert not Home(tmp_path / ".framebrush").running()


def _kinds(cell: nbformat.NotebookNode) -> set[str]:
    """The kinds of what a cell shows on standard output and as its value; a picture is stored as PNG only."""
    shown = (output for output in cell.outputs if output.get("name") != "stderr")
    return {kind for output in shown for kind in output.get("data", {output.get("name"): None})} - {"image/jpeg"}
