"""Real backends: Azurite and the local broker as child processes."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from framebrush.blobs import AzureBlobs
from framebrush.settings import Settings
from framebrush_broker.testing import running_broker
from framebrush_cli import azurite as azurite_
from framebrush_cli.errors import CommandFailed
from framebrush_cli.plan import QUEUES, free_ports
from framebrush_cli.stack import probe


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite that lasts as long as the session."""
    folder = tmp_path_factory.mktemp("azurite")
    [port] = free_ports(1)
    try:
        command = azurite_.command(folder, port)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            if probe(f"http://127.0.0.1:{port}/") is None:
                break
            assert process.poll() is None, (folder / "azurite.log").read_text()
            time.sleep(0.1)
        else:
            pytest.fail("Azurite did not answer within 30 s")
        yield azurite_.connection_string(port)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def broker() -> Iterator[str]:
    """The connection string of a broker of this test's own, with the five queues, empty."""
    with running_broker(arguments=["--queues", str(QUEUES)]) as process:
        yield process.connection_string


@pytest.fixture
def settings(azurite: str, broker: str) -> Settings:
    """Settings for both, with three new containers."""
    unique = uuid.uuid4().hex[:12]
    found = Settings.model_validate(
        {
            "storage_connection_string": azurite,
            "servicebus_connection_string": broker,
            "input_container": f"input-{unique}",
            "work_container": f"work-{unique}",
            "output_container": f"output-{unique}",
            "http_host": "127.0.0.1",
            "http_port": 0,
        }
    )
    AzureBlobs(found).create_containers([found.input_container, found.work_container, found.output_container])
    return found
