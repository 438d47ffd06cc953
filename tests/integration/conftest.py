"""Real backends: Azurite and the local broker as child processes."""

import datetime
import gc
import ipaddress
import os
import subprocess
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_broker.testing import running_broker
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import QUEUES_FILE, free_ports, probe
from framebrush_cli.local import azurite as azurite_


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore what the SDK leaves to the garbage collector: sockets of broken connections."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Close such sockets at the end of a module: they would warn in a test of another folder."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key, as a PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(encoding) + secret)
    return path


@pytest.fixture
def broker() -> Iterator[str]:
    """The connection string of a broker of this test's own, with the five queues, empty."""
    with running_broker(arguments=["--queues", str(QUEUES_FILE)]) as process:
        yield process.connection_string


@pytest.fixture
def settings(azurite: str, broker: str) -> Settings:
    """Settings for both, with four new containers."""
    unique = uuid.uuid4().hex[:12]
    found = Settings.model_validate(
        {
            "storage_connection_string": azurite,
            "servicebus_connection_string": broker,
            "input_container": f"input-{unique}",
            "work_container": f"work-{unique}",
            "output_container": f"output-{unique}",
            "styles_container": f"styles-{unique}",
            "http_host": "127.0.0.1",
            "http_port": 0,
        }
    )
    own = [found.input_container, found.work_container, found.output_container, found.styles_container]
    AzureBlobs(found).create_containers(own)
    return found
