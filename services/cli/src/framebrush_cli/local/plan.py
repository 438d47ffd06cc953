"""Plans the parts of a local stack."""

import importlib.util
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import azurite
from framebrush_cli.local.stack import Home, Part, Stack

LEARNER = "framebrush_scorer.learning"
"""The module of the learner, which comes with the scorer."""
QUEUES_FILE = Path(__file__).with_name("queues.json")
#: The caller's variables that would lead the stack's services away from it.
FOREIGN = (
    "FRAMEBRUSH_STORAGE_ACCOUNT_URL", "FRAMEBRUSH_SYSTEM_STORAGE_ACCOUNT_URL",
    "FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING", "FRAMEBRUSH_SERVICEBUS_NAMESPACE", "FRAMEBRUSH_HTTP_PORT",
)  # fmt: skip


def plan_stack(home: Home, scorers: int) -> Stack:
    """Return a stack of Azurite, the broker and all services on free ports. None of them is started.

    Raises:
        CommandFailed: A part is not installed.
    """
    services = ["splitter", "dispatcher", *_scorers(scorers), "stitcher", "learner"]
    blob, amqp, admin, *http = free_ports(3 + len(services))
    environment = {name: value for name, value in os.environ.items() if name.startswith("FRAMEBRUSH_")}
    for name in FOREIGN:
        environment.pop(name, None)
    environment.setdefault("FRAMEBRUSH_DEAD_LETTER_INTERVAL", "2")  # Our broker takes no money for a look.
    environment |= {
        "FRAMEBRUSH_STORAGE_CONNECTION_STRING": azurite.connection_string(blob),
        "FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING": (
            f"Endpoint=sb://127.0.0.1:{amqp};SharedAccessKeyName=local;SharedAccessKey=local;"
            "UseDevelopmentEmulator=true"
        ),
    }
    broker = _module("framebrush_broker")
    ports = ("--port", str(amqp), "--admin-port", str(admin))
    backends = [
        Part(name="azurite", kind="backend", command=azurite.command(home.azurite, blob), probe=_url(blob)),
        Part(
            name="broker",
            kind="backend",
            command=(*broker, *ports, "--queues", str(QUEUES_FILE), "--data", str(home.broker)),
            probe=_url(admin),
        ),
    ]
    return Stack(
        environment=environment,
        parts=(*backends, *(_service(name, port) for name, port in zip(services, http, strict=True))),
    )


def _scorers(count: int) -> list[str]:
    return ["scorer"] if count == 1 else [f"scorer-{number}" for number in range(1, count + 1)]


def _service(name: str, port: int) -> Part:
    service = name.partition("-")[0]
    return Part(
        name=name,
        kind="service",
        command=_module(LEARNER if service == "learner" else f"framebrush_{service}"),
        environment={"FRAMEBRUSH_HTTP_HOST": "127.0.0.1", "FRAMEBRUSH_HTTP_PORT": str(port)},
        probe=_url(port, "/readyz"),
    )


def _module(name: str) -> tuple[str, ...]:
    if importlib.util.find_spec(name) is None:
        raise CommandFailed(
            f"{name} is not installed beside this command: run `make setup` in a checkout of framebrush"
        )
    return (sys.executable, "-P", "-m", name)  # A folder here that is called like a package is none.


def _url(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


def free_ports(count: int) -> list[int]:
    """Return ports that are free now. All are held until the last one is found, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
