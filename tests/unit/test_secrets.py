"""No key is in the repository but the one that every Azurite has."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from support.tools import missing

from framebrush_cli.local.azurite import KEY

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".uv/checkov/bin/detect-secrets"
"""It comes with checkov."""
GUESSES = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector")
"""Detectors that take digests and names for secrets. The others know the forms of keys."""


def keys(folder: Path, *options: str) -> set[tuple[str, str]]:
    """The kinds of what is found, and the SHA-1 of each."""
    if not PROGRAM.exists():
        missing("detect-secrets is missing: make test installs it into .uv")
    off = [word for name in GUESSES for word in ("--disable-plugin", name)]
    done = subprocess.run(
        [PROGRAM, "scan", "--no-verify", *off, *options], cwd=folder, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)["results"].values()
    return {(each["type"], each["hashed_secret"]) for file in found for each in file}


@pytest.mark.timeout(600)
def test_no_key_is_kept_here() -> None:
    azurite = {hashlib.sha1(text.encode()).hexdigest() for text in (KEY, f'"{KEY}"')}
    assert {digest for _, digest in keys(ROOT)} == azurite


@pytest.mark.timeout(120)
def test_a_key_would_be_found(tmp_path: Path) -> None:
    key = KEY.replace("E", "F")  # of nobody
    (tmp_path / "notes.txt").write_text(f"AccountKey={key}\n-----BEGIN {'RSA '}PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n")
    found = {kind for kind, _ in keys(tmp_path, "--all-files", ".")}
    assert found == {"Azure Storage Account access key", "Private Key"}
