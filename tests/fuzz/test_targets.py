"""Each target on its seeds, on seeds that were cut, joined and bent, and on any octets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

NAMES = sorted(TARGETS)
BENT = 400


def _bend(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """One to four changes of a seed: an octet, a cut, a repeated or a foreign piece."""
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


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_bent_seeds(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds:
        target(seed)
    chance = random.Random(name)
    for _ in range(BENT):
        raw = _bend(chance, seeds)
        try:
            target(raw)
        except Exception as error:
            raise AssertionError(f"{name} on {raw!r}") from error


@pytest.mark.parametrize("name", NAMES)
def test_any_octets(name: str) -> None:
    target = TARGETS[name][0]

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=300))
    def check(raw: bytes) -> None:
        target(raw)

    check()
