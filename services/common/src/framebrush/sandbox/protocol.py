"""What service and decoder process say to each other over two pipes, and how a message crosses a pipe."""

import os
import struct
from collections.abc import Callable

READ, ITEM, ALIVE, DONE, REFUSED, FAILED = b"r", b"i", b"a", b"d", b"x", b"f"
"""The first byte of what the process says to the service. The service answers READ only, with bytes of the file.
REFUSED comes with what is wrong with the file, FAILED with what went wrong in the process."""
REQUEST = struct.Struct("<qq")
"""The layout of READ: the offset in the file and the number of bytes."""
MAX_READ = 2**20
"""The number of bytes that one READ may ask for at most."""
ENDED = b"."
"""What the process says on its standard output when the process that it made for a task is gone."""
NOT_ISOLATED = 70
"""The exit code of a process that could not be isolated, and so did nothing."""

_LENGTH = struct.Struct("<Q")
"""The layout of what precedes a message: its length in bytes."""


def _at_once() -> None:
    """Do not wait for a pipe: its descriptor blocks."""


def send(descriptor: int, data: bytes | memoryview, ready: Callable[[], None] = _at_once) -> None:
    """Write a message to a pipe.

    Args:
        descriptor: The pipe.
        data: The message.
        ready: A function that waits until the pipe takes something, for pipes that do not block.

    Raises:
        BrokenPipeError: Nobody reads.
        Exception: The function ``ready`` raised it.
    """
    parts = [memoryview(_LENGTH.pack(len(data))), memoryview(data)]
    while parts:
        ready()
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][written:]


def receive(descriptor: int, most: int, ready: Callable[[], None] = _at_once) -> memoryview:
    """Read a message from a pipe.

    Args:
        descriptor: The pipe.
        most: The length that it may have, in bytes.
        ready: A function that waits until there is something to read.

    Raises:
        EOFError: Nobody writes.
        ValueError: The message is longer.
        Exception: The function ``ready`` raised it.
    """
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size, ready))
    if length > most:
        raise ValueError(f"a message of {length} bytes, more than {most}")
    return _read(descriptor, length, ready)


def _read(descriptor: int, length: int, ready: Callable[[], None]) -> memoryview:
    buffer, begun = memoryview(bytearray(length)), 0
    while begun < length:
        ready()
        count = os.readv(descriptor, [buffer[begun:]])
        if not count:
            raise EOFError
        begun += count
    return buffer
