"""Each target on its seeds, on seeds that were cut, joined and bent, and on any octets."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.imap.ast import Command
from mailnode.wire.imap.parse import parse_command
from mailnode.wire.imap.receiver import RawCommand
from tests.fuzz.bend import bend, dictionary
from tests.fuzz.engines import by_ourselves
from tests.fuzz.targets import TARGETS

NAMES = sorted(TARGETS)
BENT, BENT_SESSIONS = 400, 50  # a session takes a while


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_bent_seeds(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds:
        target(seed)
    chance = random.Random(name)
    for _ in range(BENT_SESSIONS if name == "imap_session" else BENT):
        raw = bend(chance, seeds)
        try:
            target(raw)
        except Exception as error:
            raise AssertionError(f"{name} on {raw!r}") from error
    gc.collect()


@pytest.mark.parametrize("name", NAMES)
def test_any_octets(name: str) -> None:
    target = TARGETS[name][0]

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=300))
    def check(raw: bytes) -> None:
        target(raw)

    check()


def test_our_own_fuzzer_finds_its_way_to_a_fault() -> None:
    def target(raw: bytes) -> None:
        found = parse_command(RawCommand((raw.replace(b"\r", b"").replace(b"\n", b""),)))
        assert not (isinstance(found, Command) and found.name == "CLOSE")

    tried = by_ourselves(target, (b"a CLOSEX", b"a NOOP"), 20.0)
    assert "CLOSE" in tried.failed
    assert tried.inputs > 0
    assert tried.reached > 10


def test_words_of_the_seeds() -> None:
    assert dictionary((b"a STORE 1 (\\Seen)", b"x")) == b'"STORE"\n"\\\\Seen"\n'
