"""`framebrush setup` as a process, against the real broker's admin API over HTTPS and Azurite."""

import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from azure.servicebus.management import ServiceBusAdministrationClient

from framebrush.contracts import QUEUES
from framebrush_broker.testing import BrokerProcess, running_broker
from framebrush_cli.local import free_ports

COMMAND = [sys.executable, "-m", "framebrush_cli", "setup"]
Setup = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def broker(certificate: Path) -> Iterator[BrokerProcess]:
    """A broker without queues."""
    with running_broker(arguments=[f"--cert={certificate}"]) as process:
        yield process


@pytest.fixture
def admin(broker: BrokerProcess, certificate: Path) -> Iterator[ServiceBusAdministrationClient]:
    with ServiceBusAdministrationClient.from_connection_string(
        broker.admin_connection_string, connection_verify=str(certificate)
    ) as client:
        yield client


@pytest.fixture
def environment(azurite: str, certificate: Path) -> dict[str, str]:
    """Storage with containers of this test's own, and trust in the broker's certificate; no broker."""
    unique = uuid.uuid4().hex[:12]
    others = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    return others | {
        "FRAMEBRUSH_STORAGE_CONNECTION_STRING": azurite,
        "FRAMEBRUSH_INPUT_CONTAINER": f"input-{unique}",
        "FRAMEBRUSH_WORK_CONTAINER": f"work-{unique}",
        "FRAMEBRUSH_OUTPUT_CONTAINER": f"output-{unique}",
        "FRAMEBRUSH_STYLES_CONTAINER": f"styles-{unique}",
        "FRAMEBRUSH_LOGS_CONTAINER": f"logs-{unique}",
        "REQUESTS_CA_BUNDLE": str(certificate),
    }


@pytest.fixture
def setup(environment: dict[str, str], tmp_path: Path) -> Setup:
    """Runs the command for a connection string in an empty folder, and checks its exit code."""

    def run(bus: str, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {"FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": bus}
        result = subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path, env={**environment, **own, **variables}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run


def connection_string(host: str) -> str:
    return f"Endpoint=sb://{host};SharedAccessKeyName=name;SharedAccessKey=key"


def test_what_is_missing_is_created_and_what_exists_stays(
    setup: Setup, broker: BrokerProcess, admin: ServiceBusAdministrationClient
) -> None:
    admin.create_queue(
        "frames",
        lock_duration=timedelta(seconds=60),
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(seconds=600),
    )
    first = setup(broker.admin_connection_string)
    said = dict(line.split(": ") for line in first.stdout.splitlines())
    assert {name: word for name, word in said.items() if name.startswith("queue ")} == {
        f"queue {name}": "exists" if name == "frames" else "created" for name in QUEUES
    }
    assert [word for name, word in said.items() if name.startswith("container ")] == ["created"] * 5
    assert first.stderr == ""
    for name in QUEUES:
        found = admin.get_queue(name)
        assert found.lock_duration == timedelta(seconds=60)
        assert found.max_delivery_count == 10
        assert found.requires_duplicate_detection
        assert found.duplicate_detection_history_time_window == timedelta(seconds=600)

    again = setup(broker.admin_connection_string)
    assert again.stdout == first.stdout.replace("created", "exists")
    assert again.stderr == ""


def test_containers_only_for_a_broker_that_has_its_queues(setup: Setup, broker: BrokerProcess) -> None:
    assert "HTTPS" in setup(broker.connection_string, code=1).stderr
    said = setup(broker.connection_string, "--containers-only").stdout
    assert [line.partition(" ")[0] for line in said.splitlines()] == ["container"] * 5 + ["models:"]


def test_a_queue_that_differs_is_left_alone_with_a_warning(
    setup: Setup, broker: BrokerProcess, admin: ServiceBusAdministrationClient, tmp_path: Path
) -> None:
    admin.create_queue("plain", lock_duration=timedelta(seconds=30), max_delivery_count=3)
    admin.create_queue(
        "strict",
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(seconds=60),
    )
    options = {"lock_duration_s": 60, "max_delivery_count": 10, "duplicate_detection_window_s": 600}
    (tmp_path / "queues.json").write_text(json.dumps({"queues": {"plain": options, "strict": options}}))
    result = setup(broker.admin_connection_string, "--queues", "queues.json")
    assert result.stderr.splitlines() == [
        "warning: queue plain: has no duplicate detection, which cannot be changed: "
        "delete the queue and run this again",
        "warning: queue plain: lock duration 30 s instead of 60 s",
        "warning: queue plain: maximum delivery count 3 instead of 10",
        "warning: queue strict: duplicate detection window 60 s instead of 600 s",
    ]
    assert admin.get_queue("plain").lock_duration == timedelta(seconds=30)


def test_every_option_of_the_file_reaches_the_queue(
    setup: Setup, broker: BrokerProcess, admin: ServiceBusAdministrationClient, tmp_path: Path
) -> None:
    (tmp_path / "queues.toml").write_text("""
        [queues.mine]
        lock_duration_s = 150
        max_delivery_count = 7
        default_time_to_live_s = 3600
        dead_lettering_on_message_expiration = true
        max_size_mb = 2048
    """)
    assert "queue mine: created" in setup(broker.admin_connection_string, "--queues", "queues.toml").stdout
    found = admin.get_queue("mine")
    assert found.lock_duration == timedelta(seconds=150)
    assert found.default_message_time_to_live == timedelta(hours=1)
    assert (found.max_delivery_count, found.max_size_in_megabytes) == (7, 2048)
    assert found.dead_lettering_on_message_expiration
    assert not found.requires_duplicate_detection


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("none.json", None, "none.json: No such file"),
        ("bad.json", "{", "bad.json: Expecting property name"),
        ("bad.json", '{"queues": {"a": {"lock_duration": 5}}}', "queues.a.lock_duration: Extra inputs"),
        ("bad.toml", "[queues.a]\nlock_duration_s = 600", "queues.a.lock_duration_s: .*less than or equal to 300"),
    ],
)
def test_a_bad_file_is_one_line(
    setup: Setup, broker: BrokerProcess, tmp_path: Path, name: str, text: str | None, complaint: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    [line] = setup(broker.admin_connection_string, "--queues", name, code=1).stderr.splitlines()
    assert re.search(complaint, line)


def test_a_backend_that_starts_later_is_waited_for(environment: dict[str, str], certificate: Path) -> None:
    ports = dict(zip(("amqp", "http", "amqps", "https"), free_ports(4), strict=True))
    broker = BrokerProcess([f"--cert={certificate}"])
    broker.ports = ports
    bus = {"FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": broker.admin_connection_string}
    with subprocess.Popen(
        COMMAND, env=environment | bus, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            assert line.startswith(f"waiting for service bus: localhost:{ports['https']}: ")
            assert "Connection refused" in line
            broker.start()
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            broker.stop()
    assert process.returncode == 0
    assert out.count("created") == len(QUEUES) + 5


def test_waiting_has_an_end(setup: Setup) -> None:
    [port] = free_ports(1)
    started = time.monotonic()
    first, last = setup(connection_string(f"localhost:{port}"), "--timeout", "1", code=1).stderr.splitlines()
    assert first.startswith("waiting for service bus: ")
    assert last.startswith("error: service bus: ")
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("no-such-namespace.invalid", "no-such-namespace.invalid.*(Name or service not known|resolve)"),
        ("localhost:1;UseDevelopmentEmulator=true", "queues are made through HTTPS"),
        ("", "Endpoint"),
    ],
)
def test_an_address_that_is_none_is_one_line(setup: Setup, host: str, complaint: str) -> None:
    [line] = setup(connection_string(host), "--timeout", "0", code=1).stderr.splitlines()
    assert re.search(complaint, line), line
    assert line.startswith("error: ")


def test_a_private_ca_needs_to_be_named(setup: Setup, broker: BrokerProcess) -> None:
    empty = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}
    [line] = setup(broker.admin_connection_string, code=1, **empty).stderr.splitlines()
    assert "CERTIFICATE_VERIFY_FAILED" in line
    assert line.endswith("A private CA is trusted if REQUESTS_CA_BUNDLE names its file")


def test_without_the_right_to_manage_it_says_so_at_once(setup: Setup, certificate: Path) -> None:
    detail = "Manage,EntityRead claims required for this operation."
    body = f"<Error><Code>401</Code><Detail>{detail}</Detail></Error>"
    with answering(401, body, "application/xml", certificate) as port:  # as Azure does; the broker lets everybody in
        [line] = setup(connection_string(f"localhost:{port}"), code=1).stderr.splitlines()
    assert "does not let us manage queues" in line
    assert detail in line
    assert "Azure Service Bus Data Owner" in line


def test_a_role_that_does_not_work_yet_is_waited_for(setup: Setup, certificate: Path) -> None:
    """What runs right after a role was assigned to its identity is refused for some minutes."""
    token = {"access_token": "token", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    with (
        answering(200, json.dumps(token), "application/json") as identity,
        answering(
            401, "<Error><Code>401</Code><Detail>no claim</Detail></Error>", "application/xml", certificate
        ) as bus,
    ):
        first, *others = setup(
            "", "--timeout", "3", code=1,
            FRAMEBRUSH_SERVICEBUS_NAMESPACE=f"localhost:{bus}",
            IDENTITY_ENDPOINT=f"http://127.0.0.1:{identity}/token",
            IDENTITY_HEADER="header",
        ).stderr.splitlines()  # fmt: skip
    assert first.startswith("waiting for service bus: ")
    assert "a new role assignment takes minutes to work" in " ".join([first, *others])
    assert "--timeout is over" in " ".join(others)


def test_without_keys(setup: Setup, broker: BrokerProcess) -> None:
    token = {"access_token": "token", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    with answering(200, json.dumps(token), "application/json") as port:  # a managed identity, as App Service has it
        result = setup(
            "",
            FRAMEBRUSH_SERVICEBUS_NAMESPACE=f"localhost:{broker.ports['https']}",
            IDENTITY_ENDPOINT=f"http://127.0.0.1:{port}/token",
            IDENTITY_HEADER="header",
        )
    assert result.stdout.count("created") == len(QUEUES) + 5


@contextmanager
def answering(status: int, body: str, kind: str, certificate: Path | None = None) -> Iterator[int]:
    """A server with the same answer to everything; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
