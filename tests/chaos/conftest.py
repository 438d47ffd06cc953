"""The whole system, started once for all tests here."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.system import System

from framebrush.contracts import QUEUES
from framebrush.storage import AzureBlobs
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, plan_stack

SETTINGS = {
    "FRAMEBRUSH_DEFAULT_MODEL": "identity",
    "FRAMEBRUSH_SEGMENT_FRAMES": "25",
    "FRAMEBRUSH_KEEP_FRAMES": "true",  # to see that no frame was scored twice into different blobs
    "OMP_NUM_THREADS": "1",
}
LOCK = 5.0
"""Seconds until the messages of a killed process come back, where the broken connection does not tell."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Azurite, the broker and the four services, ready."""
    home = Home(tmp_path_factory.mktemp("stack"))
    home.azurite.mkdir()
    try:
        stack = plan_stack(home, scorers=1)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    queues = home.path / "queues.json"
    options = {"lock_duration_s": LOCK, "max_delivery_count": 10, "duplicate_detection_window_s": 600}
    queues.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    parts = {part.name: part for part in stack.parts}
    command = list(parts["broker"].command)
    command[command.index("--queues") + 1] = str(queues)
    parts["broker"] = parts["broker"].model_copy(update={"command": tuple(command)})
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    system = System(parts, foreign | stack.environment | SETTINGS, home.path)
    with ExitStack() as cleanup:
        cleanup.callback(system.end)
        for kind in ("backend", "service"):
            names = [name for name, part in parts.items() if part.kind == kind]
            for name in names:
                system.start(name)
            for name in names:
                system.wait(name)
            if kind == "backend":
                settings = system.settings
                AzureBlobs(settings).create_containers(
                    [settings.input_container, settings.work_container, settings.output_container]
                )
        yield system
