"""A TCP proxy between the services and a backend, whose faults a test switches on and off."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from support.http1 import read_request

Direction = Literal["up", "down"]
"""``up`` is from the client to the backend, ``down`` is from the backend to the client."""
BOTH: frozenset[Direction] = frozenset(("up", "down"))
T = TypeVar("T")


class Fault:
    """What goes wrong on the wire. This one changes nothing; its subclasses override what they disturb."""

    refuses = False
    """Whether new connections are refused while the fault lasts."""

    def __init__(self) -> None:
        self.hits = 0
        """How many connections or requests the fault has met."""
        self.over = asyncio.Event()
        """Is set when the fault ends."""

    def begin(self, links: "list[Link]") -> None:
        """Do what happens once, to the connections that exist at the start."""

    def accept(self, link: "Link") -> None:
        """Do something to a new connection before its first byte."""

    def answer(self, request: bytes) -> bytes | None:
        """Return an HTTP response for a request that the backend does not get; None lets the request pass."""

    async def carry(self, link: "Link", direction: Direction, data: bytes) -> None:
        """Pass bytes on."""
        await link.send(direction, data)


@dataclass(eq=False)
class Link:
    """A client's connection to the proxy, and the proxy's connection to the backend that belongs to it."""

    client: asyncio.StreamWriter
    backend: asyncio.StreamWriter
    used: float
    """When bytes last passed, by the event loop's clock."""
    silent: frozenset[Direction] = frozenset()
    """Directions in which bytes are swallowed from now on. They stay silent after the fault's end."""

    async def send(self, direction: Direction, data: bytes) -> None:
        """Write bytes to the other side, unless this direction is silent."""
        if direction not in self.silent:
            self.used = asyncio.get_running_loop().time()
            writer = self.backend if direction == "up" else self.client
            writer.write(data)
            await writer.drain()

    def reset(self) -> None:
        """Break both connections with RST."""
        for writer in (self.client, self.backend):
            sock = writer.get_extra_info("socket")
            with suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a free port of this machine, in a thread of its own.

    Args:
        port: The backend's port on this machine.
        http: Whether the bytes from clients are HTTP/1.1 requests, which faults may answer.
    """

    def __init__(self, port: int, *, http: bool = False) -> None:
        self.backend_port, self._http = port, http
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0
        """How many connections were accepted so far."""
        self._fault = self._none()
        self._listener: asyncio.Server | None = None
        self._socket = self._bound(0)
        self.port: int = self._socket.getsockname()[1]

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """End all connections."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def disturb(self, make: Callable[[], Fault]) -> Fault:
        """Begin a fault, which lasts until :meth:`heal`."""

        async def begin() -> Fault:
            self._fault = make()
            if self._fault.refuses and self._listener is not None:
                self._listener.close()
                self._listener, self._socket = None, self._bound(self.port)  # bound, so that nobody takes the port
            self._fault.begin(sorted(self._links, key=id))
            return self._fault

        return self._call(begin())

    def heal(self) -> None:
        """End the fault. Connections that it has silenced stay silent, new ones work."""

        async def end() -> None:
            self._fault.over.set()
            self._fault = self._none()
            if self._listener is None:
                await self._listen()

        self._call(end())

    # --- in the event loop

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _none(self) -> Fault:
        fault = Fault()
        fault.over.set()
        return fault

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return sock

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, sock=self._socket)

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for link in list(self._links):
            link.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            incoming, backend = await asyncio.open_connection("127.0.0.1", self.backend_port)
        except OSError:
            client.transport.abort()
            return
        link = Link(client, backend, self._loop.time())
        self._links.add(link)
        try:
            self._fault.accept(link)
            up = asyncio.create_task(self._up(link, reader))
            down = asyncio.create_task(self._down(link, incoming))
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if link.silent:
                await asyncio.wait((up,))  # a silent link does not tell the client that the backend has hung up
                await self._fault.over.wait()  # nor the backend that the client has, while the fault lasts
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        finally:
            self._links.discard(link)
            for writer in (client, backend):
                writer.close()

    async def _up(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await (read_request(reader) if self._http else reader.read(65536)):
            answer = self._fault.answer(data) if self._http else None
            if answer is None:
                await self._fault.carry(link, "up", data)
            else:
                await link.send("down", answer)

    async def _down(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            await self._fault.carry(link, "down", data)
