import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framebrush.service import Settings

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def framebrush(settings: Settings, tmp_path: Path) -> Command:
    """Runs the command in an empty folder; with ``code`` checks its exit code."""
    secrets = (settings.storage_connection_string, settings.servicebus_connection_string)
    assert secrets[0]
    assert secrets[1]
    own = {
        "FRAMEBRUSH_STORAGE_CONNECTION_STRING": secrets[0].get_secret_value(),
        "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": secrets[1].get_secret_value(),
        "FRAMEBRUSH_INPUT_CONTAINER": settings.input_container,
        "FRAMEBRUSH_WORK_CONTAINER": settings.work_container,
        "FRAMEBRUSH_OUTPUT_CONTAINER": settings.output_container,
        "FRAMEBRUSH_STYLES_CONTAINER": settings.styles_container,
        "FRAMEBRUSH_DEFAULT_MODEL": "mosaic",
    }

    def run(*arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-m", "framebrush_cli", *arguments],
            cwd=tmp_path, env={**os.environ, **own, **variables}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run
