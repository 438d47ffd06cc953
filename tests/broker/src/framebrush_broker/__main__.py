"""`python -m framebrush_broker`: run the broker."""

import argparse
import asyncio
import contextlib
import logging
import signal
import ssl
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from framebrush_broker.admin import Admin
from framebrush_broker.errors import BadRequest
from framebrush_broker.faults import UNKIND, FaultOptions
from framebrush_broker.namespace import Namespace
from framebrush_broker.options import QueueOptions, check_name, read_queues
from framebrush_broker.server import Server
from framebrush_broker.store import FileStore, MemoryStore


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m framebrush_broker", description="A Service Bus stand-in for development and tests."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=5672, help="AMQP port, 0 for a free one (%(default)s)")
    add("--admin-port", type=int, default=5300, help="admin API over HTTP, 0 for a free one (%(default)s)")
    add("--cert", type=Path, metavar="PEM", help="certificate chain; opens the two TLS ports")
    add("--key", type=Path, metavar="PEM", help="private key, unless it is in --cert")
    add("--tls-port", type=int, default=5671, help="AMQP over TLS, with --cert (%(default)s)")
    add("--admin-tls-port", type=int, default=5301, help="admin API over HTTPS, with --cert (%(default)s)")
    add("--queues", type=Path, metavar="FILE", help="queues and their options, TOML or JSON")
    add("--queue", action="append", default=[], metavar="NAME", help="declare a queue; may be repeated")
    add("--data", type=Path, metavar="FILE", help="keep queues and messages in this file across restarts")
    add("--lock-duration", type=float, default=60, metavar="S", help="default of all queues (%(default)s)")
    add("--max-delivery-count", type=int, default=10, metavar="N", help="default of all queues (%(default)s)")
    add("--max-message-size", type=int, default=256, metavar="KB", help="largest message (%(default)s)")
    add(
        "--count-locked",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether ActiveMessageCount includes locked messages (it does)",
    )
    add("--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="(%(default)s)")
    _add_faults(parser)
    return parser


def _add_faults(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("faults", "What Azure does on bad days; all off by default, repeatable by seed.")
    add = group.add_argument
    add("--unkind", type=int, metavar="SEED", help="turn all faults on, each as often as its option's default says")
    share: dict[str, Any] = {"type": float, "metavar": "SHARE"}
    add("--lost-settlements", **share, help=f"completed messages that come again ({UNKIND.lost_settlements})")
    add("--reordered", **share, help=f"deliveries out of turn ({UNKIND.reordered})")
    add(
        "--forgotten-duplicates",
        **share,
        help=f"sends before which a queue forgets the MessageIds it has seen ({UNKIND.forgotten_duplicates})",
    )
    add("--busy", **share, help=f"requests refused with com.microsoft:server-busy ({UNKIND.busy})")
    seconds: dict[str, Any] = {"type": float, "metavar": "S"}
    add("--detach-idle", **seconds, dest="detach_idle_s", help=f"detach idle links ({UNKIND.detach_idle_s})")
    add("--close-idle", **seconds, dest="close_idle_s", help=f"close idle connections ({UNKIND.close_idle_s})")


def _faults(options: argparse.Namespace) -> FaultOptions:
    start = FaultOptions() if options.unkind is None else replace(UNKIND, seed=options.unkind)
    given = {field.name: getattr(options, field.name, None) for field in fields(FaultOptions)}
    return replace(start, **{name: value for name, value in given.items() if value is not None})


async def _serve(options: argparse.Namespace, namespace: Namespace, faults: FaultOptions) -> None:
    server = Server(namespace, max_message_size=options.max_message_size * 1024, faults=faults)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        ports = {"amqp": await server.listen(options.host, options.port)}
        admin = {"http": Admin(server, options.host, options.admin_port, count_locked=options.count_locked)}
        if options.cert:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(options.cert, options.key)
            ports["amqps"] = await server.listen(options.host, options.tls_port, tls)
            admin["https"] = Admin(
                server, options.host, options.admin_tls_port, tls=tls, count_locked=options.count_locked
            )
        for scheme, api in admin.items():
            ports[scheme] = stack.enter_context(api).port
        print("ready", *(f"{scheme}={port}" for scheme, port in ports.items()), flush=True)  # noqa: T201
        await stop.wait()
        await server.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return 0, or 2 when the options cannot be used."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    defaults: dict[str, Any] = {
        "lock_duration_s": options.lock_duration,
        "max_delivery_count": options.max_delivery_count,
    }
    try:
        queues = {check_name(name): QueueOptions(**defaults) for name in options.queue}
        if options.queues:
            queues |= read_queues(options.queues, defaults)
        faults = _faults(options)
        namespace = Namespace(FileStore(options.data) if options.data else MemoryStore())
        namespace.declare(queues)
        asyncio.run(_serve(options, namespace, faults))
    except (BadRequest, OSError) as error:
        print(f"framebrush-broker: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
