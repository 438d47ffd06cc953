"""What a sandbox is given to do in tests; what decoders do when a file is hostile."""

import ctypes
import os
import re
import signal
import time
from collections.abc import Iterator
from hashlib import sha256

from framebrush.errors import InputChanged
from framebrush.sandbox import SandboxedFile


def describe(source: SandboxedFile) -> Iterator[bytes]:
    """The end, the beginning, and a hash of all."""
    source.seek(-3, os.SEEK_END)
    yield source.read(3) or b""
    source.seek(0)
    yield source.read(3) or b""
    source.seek(0)
    yield sha256(source.readall()).digest()


def environment(source: SandboxedFile) -> Iterator[bytes]:
    yield "\n".join(os.environ).encode()


def process_id(source: SandboxedFile) -> Iterator[bytes]:
    yield str(os.getpid()).encode()


def parent_id(source: SandboxedFile) -> Iterator[bytes]:
    """Of the process that waits for tasks."""
    yield str(os.getppid()).encode()


def refuse(source: SandboxedFile) -> Iterator[bytes]:
    yield b"one"
    raise InputChanged("so it is")


def stumble(source: SandboxedFile) -> Iterator[bytes]:
    yield b"one"
    raise KeyError("of our own making")


def crash(source: SandboxedFile, how: str) -> Iterator[bytes]:
    yield str(os.getpid()).encode()
    if how == "SIGILL":  # in the middle of a message
        os.write(source._line.tell.args[0], b"\0\1\0\0")
    if how == "SIGSEGV":
        ctypes.string_at(0)
    if how == "SIGABRT":
        os.abort()
    os.kill(os.getpid(), signal.Signals[how])


def hang(source: SandboxedFile, how: str) -> Iterator[bytes]:
    yield str(os.getpid()).encode()
    if how == "in C":  # which holds the interpreter's lock: no other thread of the process runs
        re.match(r"(a+)+$", "a" * 60 + "b")
    while True:
        time.sleep(0.02)
        if how == "reading":
            source.seek(0)
            source.read(10)


def plod(source: SandboxedFile, steps: int, seconds: float) -> Iterator[bytes]:
    """Slow, with signs of life."""
    for _ in range(steps):
        time.sleep(seconds)
        source.alive()
    yield b"done"


def devour(source: SandboxedFile, megabytes: int) -> Iterator[bytes]:
    held = [bytearray(10**6) for _ in range(megabytes)]
    yield str(len(held)).encode()
