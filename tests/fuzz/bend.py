"""Changes of a seed by chance, for where no fuzzer is installed, and the words that seeds are made
of."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_WORD = re.compile(rb"[A-Za-z\\$][A-Za-z0-9.=-]{2,30}")


def bend(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to four changes: an octet, a cut, a repeated or a foreign piece."""
    raw = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(raw))
        match chance.randint(0, 4):
            case 0:
                raw[at : at + 1] = bytes((chance.choice((0, 10, 13, 32, 40, 41, 92, 123, 255)),))
            case 1:
                del raw[at : at + chance.randint(1, 8)]
            case 2:
                raw[at:at] = raw[at : at + chance.randint(1, 20)] * chance.randint(1, 9)
            case 3:
                other = chance.choice(seeds)
                start = chance.randint(0, len(other))
                raw[at:at] = other[start : start + 20]
            case _:
                raw[at:at] = chance.randbytes(chance.randint(1, 6))
    return bytes(raw)


def dictionary(seeds: Sequence[bytes]) -> bytes:
    """The words of the seeds, as libFuzzer reads them."""
    words = sorted({word for seed in seeds for word in _WORD.findall(seed)})
    return b"".join(b'"%b"\n' % word.replace(b"\\", b"\\\\") for word in words)
