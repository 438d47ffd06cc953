"""The kinds of fault that a proxy can put between the services and a backend, each with its durations."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from support.http1 import respond
from support.proxy import BOTH, Direction, Fault, Link

Backend = Literal["broker", "storage"]
UP: frozenset[Direction] = frozenset(("up",))
DOWN: frozenset[Direction] = frozenset(("down",))


class Reset(Fault):
    """A share of the connections is reset, once."""

    def __init__(self, random: Random, share: float = 1.0) -> None:
        super().__init__()
        self._random, self._share = random, share

    def begin(self, links: list[Link]) -> None:
        for link in links:
            if self._random.random() < self._share:
                self.hits += 1
                link.reset()


class Refuse(Reset):
    """Connections are reset, and new ones are refused."""

    refuses = True


class Silence(Fault):
    """A share of the connections falls silent for ever, in one direction or in both; new connections work."""

    def __init__(self, random: Random, directions: frozenset[Direction] = BOTH, share: float = 1.0) -> None:
        super().__init__()
        self._random, self._directions, self._share = random, directions, share

    def begin(self, links: list[Link]) -> None:
        for link in links:
            if self._random.random() < self._share:
                self.hits += 1
                link.silent = self._directions


class SilentWhenNew(Reset):
    """Connections are reset; new ones are accepted and never answered."""

    def accept(self, link: Link) -> None:
        self.hits += 1
        link.silent = BOTH


class SilentWhenIdle(Fault):
    """A connection that was idle for ``seconds`` falls silent for ever, as behind a NAT that forgot it."""

    def __init__(self, seconds: float = 2.0) -> None:
        super().__init__()
        self._seconds = seconds

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        if not link.silent and asyncio.get_running_loop().time() - link.used > self._seconds:
            self.hits += 1
            link.silent = BOTH
        await link.send(direction, data)


class Stall(Fault):
    """No byte passes; all go on when the fault ends."""

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        self.hits += 1
        await self.over.wait()
        await link.send(direction, data)


class Delay(Fault):
    """Bytes are late."""

    def __init__(self, random: Random, most: float = 1.0) -> None:
        super().__init__()
        self._random, self._most = random, most

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        self.hits += 1
        await asyncio.sleep(self._random.uniform(0, self._most))
        await link.send(direction, data)


class Trickle(Fault):
    """Bytes come a few at a time."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self._step = max(1, rate // 20)

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        self.hits += 1
        while data and not self.over.is_set():
            await link.send(direction, data[: self._step])
            data = data[self._step :]
            await asyncio.sleep(0.05)
        if data:
            await link.send(direction, data)


class Cut(Fault):
    """A connection ends in the middle of what the backend says."""

    def __init__(self, random: Random, chance: float = 0.5) -> None:
        super().__init__()
        self._random, self._chance = random, chance

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        if direction == "up" or self._random.random() > self._chance:
            await link.send(direction, data)
            return
        self.hits += 1
        head, blank, body = data.partition(b"\r\n\r\n")
        kept = len(head + blank) + len(body) // 2 if body else len(data) // 2
        await link.send(direction, data[:kept])
        link.client.close()
        link.backend.close()


class ResetAfterEffect(Fault):
    """The backend gets what it is told; instead of its answer the client gets a reset."""

    def __init__(self, random: Random, chance: float = 0.3) -> None:
        super().__init__()
        self._random, self._chance = random, chance

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        if direction == "down" and self._random.random() < self._chance:
            self.hits += 1
            link.reset()
        else:
            await link.send(direction, data)


class ErrorAfterEffect(ResetAfterEffect):
    """The backend gets the request; instead of its response the client gets a 500, and the connection ends."""

    async def carry(self, link: Link, direction: Direction, data: bytes) -> None:
        if direction == "down" and self._random.random() < self._chance:
            self.hits += 1
            await link.send("down", respond("500 Internal Server Error"))
            link.client.close()
            link.backend.close()
        else:
            await link.send(direction, data)


class Answer(Fault):
    """Requests are answered with an error and do not reach the backend."""

    def __init__(self, random: Random, status: str, *, retry_after: int | None = None, chance: float = 0.7) -> None:
        super().__init__()
        self._random, self._chance = random, chance
        self._response = respond(status, retry_after=retry_after)

    def answer(self, request: bytes) -> bytes | None:
        if self._random.random() > self._chance:
            return None
        self.hits += 1
        return self._response


@dataclass(frozen=True)
class Kind:
    """One kind of fault between the services and one backend."""

    name: str
    backend: Backend
    make: Callable[[Random], Fault]
    seconds: tuple[float, float]
    """The shortest and the longest time between the fault's begin and its end."""

    def __str__(self) -> str:
        return f"{self.backend}: {self.name}"


def _answer(status: str, wait: int | None) -> Callable[[Random], Fault]:
    return lambda random: Answer(random, status, retry_after=wait)


_WIRE: dict[str, tuple[Callable[[Random], Fault], tuple[float, float]]] = {
    "reset all": (Reset, (0, 0)),
    "reset half": (lambda random: Reset(random, 0.5), (0, 0)),
    "refuse new": (Refuse, (2, 15)),
    "delay each packet up to 1 s": (Delay, (3, 15)),
    "hold all bytes": (lambda _: Stall(), (3, 15)),
    "cut in mid-answer": (Cut, (1, 5)),
    "reset after the effect": (ResetAfterEffect, (1, 8)),
    "silence all for ever": (Silence, (0, 0)),
    "silence half for ever": (lambda random: Silence(random, share=0.5), (0, 0)),
    "silence towards the backend": (lambda random: Silence(random, UP), (0, 0)),
    "silence towards the client": (lambda random: Silence(random, DOWN), (0, 0)),
    "never answer new": (SilentWhenNew, (20, 20)),
    "silence after 2 s of idling": (lambda _: SilentWhenIdle(), (10, 20)),
}
KINDS = tuple(
    [Kind(name, "broker", make, seconds) for name, (make, seconds) in _WIRE.items()]
    + [Kind("trickle at 1 kB/s", "broker", lambda _: Trickle(1000), (3, 15))]
    + [Kind(name, "storage", make, seconds) for name, (make, seconds) in _WIRE.items()]
    + [Kind("trickle at 10 kB/s", "storage", lambda _: Trickle(10_000), (3, 15))]
    + [Kind("500 after the effect", "storage", ErrorAfterEffect, (1, 8))]
    + [
        Kind(f"{status[:3]}{f' with Retry-After: {wait}' if wait else ''}", "storage", _answer(status, wait), (2, 10))
        for status in ("408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "503 Server Busy")
        for wait in (None, 2)
    ]
)
