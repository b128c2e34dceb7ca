"""Ways to damage a file."""

from __future__ import annotations

import random
from collections.abc import Callable

Damage = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, rng: random.Random) -> bytes:
    """End anywhere."""
    return content[: rng.randrange(len(content))]


def flip(content: bytes, rng: random.Random) -> bytes:
    """One bit is another."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def zeros(content: bytes, rng: random.Random) -> bytes:
    """A block of the disk came back empty."""
    start = rng.randrange(len(content))
    length = min(len(content) - start, 512)
    return content[:start] + bytes(length) + content[start + length :]


def insert(content: bytes, rng: random.Random) -> bytes:
    """Bytes that belong elsewhere shift the rest."""
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randint(1, 64)) + content[place:]


def append(content: bytes, rng: random.Random) -> bytes:
    """More follows the end."""
    return content + rng.randbytes(rng.randint(1, 512))


def empty(content: bytes, rng: random.Random) -> bytes:
    return b""


def other(content: bytes, rng: random.Random) -> bytes:
    """Another kind of file under this name."""
    return rng.choice([b"<html><body>404 Not Found</body></html>", rng.randbytes(2048), b"version https://git-lfs\n"])


ANY: tuple[Damage, ...] = (cut, flip, zeros, insert, append, empty, other)
WITHOUT_CHECKSUM: tuple[Damage, ...] = (cut, empty, other)  # what a format without checksums can notice
