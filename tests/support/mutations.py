"""Media files with something wrong in them."""

import random
import re
from collections.abc import Callable

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
"""At the edges of what fields hold."""
TAG = re.compile(
    rb"[A-Za-z][A-Za-z0-9 ]{3}|\x1a\x45\xdf\xa3|\x15\x49\xa9\x66|\x16\x54\xae\x6b|\x1f\x43\xb6\x75|\xae|\xe0"
)
"""Names of MP4's boxes, AVI's chunks and codecs; ids of Matroska's elements."""


def flip_bits(data: bytearray, steps: random.Random) -> None:
    for _ in range(steps.choice((1, 1, 4, 32))):
        data[steps.randrange(len(data))] ^= 1 << steps.randrange(8)


def noise(data: bytearray, steps: random.Random) -> None:
    start, length = _block(data, steps)
    data[start : start + length] = steps.randbytes(length)


def truncate(data: bytearray, steps: random.Random) -> None:
    del data[steps.randrange(len(data)) :]


def cut_out(data: bytearray, steps: random.Random) -> None:
    start, length = _block(data, steps)
    del data[start : start + length]


def repeat(data: bytearray, steps: random.Random) -> None:
    start, length = _block(data, steps)
    data[start:start] = data[start : start + length]


def swap_blocks(data: bytearray, steps: random.Random) -> None:
    start, length = _block(data, steps)
    other = steps.randrange(max(1, len(data) - length))
    data[start : start + length], data[other : other + length] = (
        data[other : other + length],
        data[start : start + length],
    )


def edit_field(data: bytearray, steps: random.Random) -> None:
    """A number after a tag, or near the beginning, becomes one at the edge of its range."""
    tags = [match.end() for match in TAG.finditer(data)]
    position = steps.choice(tags) + steps.randrange(16) if tags and steps.random() < 0.7 else steps.randrange(512)
    width = steps.choice((1, 2, 4, 8))
    number = steps.choice(NUMBERS) & (256**width - 1)
    data[position : position + width] = number.to_bytes(width, steps.choice(("big", "little")))


def edit_size(data: bytearray, steps: random.Random) -> None:
    """The number before a tag, where MP4 has sizes, is a little or a lot off."""
    tags = [match.start() for match in TAG.finditer(data) if match.start() >= 4]
    if tags:
        position = steps.choice(tags) - 4
        size = int.from_bytes(data[position : position + 4], "big")
        size = steps.choice((size + 1, size - 1, size * 2, size // 2, 0, 1, 7, 2**32 - 1)) % 2**32
        data[position : position + 4] = size.to_bytes(4, "big")


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits, noise, truncate, cut_out, repeat, swap_blocks, edit_field, edit_field, edit_size,
)  # fmt: skip


def mutate(data: bytes, seed: int) -> tuple[bytes, str]:
    """The same for the same seed: the file with one to three things wrong, and what."""
    steps, result, names = random.Random(seed), bytearray(data), list[str]()
    for _ in range(steps.choice((1, 1, 2, 3))):
        mutation = steps.choice(MUTATIONS)
        if len(result) > 16:
            mutation(result, steps)
            names.append(mutation.__name__)
    return bytes(result), " + ".join(names)


def _block(data: bytearray, steps: random.Random) -> tuple[int, int]:
    """Start and length of a part."""
    length = min(len(data) // 2, steps.choice((1, 4, 16, 64, 256, 1024, 4096)))
    return steps.randrange(len(data) - length), length
