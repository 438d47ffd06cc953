"""One broker for all tests of this folder, each test with queues of its own."""

import datetime
import gc
import ipaddress
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient
from azure.servicebus.management import ServiceBusAdministrationClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from framebrush_broker.testing import BrokerProcess, running_broker

MakeQueue = Callable[..., str]


@pytest.fixture(autouse=True)
def _collect_garbage() -> Iterator[None]:
    """Keep what a test left to the garbage collector from warning in another test."""
    yield
    gc.collect()


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


@pytest.fixture(scope="session")
def broker(certificate: Path) -> Iterator[BrokerProcess]:
    with running_broker(arguments=[f"--cert={certificate}"]) as process:
        yield process


@pytest.fixture(scope="session")
def admin(broker: BrokerProcess, certificate: Path) -> Iterator[ServiceBusAdministrationClient]:
    with ServiceBusAdministrationClient.from_connection_string(
        broker.admin_connection_string, connection_verify=str(certificate)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def _names() -> Iterator[str]:
    return (f"queue-{number}" for number in itertools.count())


@pytest.fixture
def make_queue(admin: ServiceBusAdministrationClient, _names: Iterator[str]) -> MakeQueue:
    """Create a queue with the options of `ServiceBusAdministrationClient.create_queue`; returns its name."""

    def make(**options: object) -> str:
        return str(admin.create_queue(next(_names), **options).name)  # type: ignore[arg-type]

    return make


@pytest.fixture
def queue(make_queue: MakeQueue) -> str:
    return make_queue()


@pytest.fixture
def client(broker: BrokerProcess) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client
