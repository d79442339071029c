"""What a node says of itself to the others, and what they make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailnode.cluster.layout import make_layout
from mailnode.cluster.published import (
    Knows,
    Published,
    knows,
    publish,
    published_path,
    read_published,
)

SAID = Published("t1", ("192.0.2.25", "2001:db8::25"), Knows.ANSWERS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_layout(tmp_path)
    return tmp_path


def test_it_is_read_as_it_was_said_and_written_only_when_it_changed(root: Path) -> None:
    assert publish(root, "n1", SAID)
    assert not publish(root, "n1", SAID)
    assert read_published(root, "n1", "t1") == SAID
    assert publish(root, "n1", Published("t1", (), Knows.CACHED))
    assert read_published(root, "n1", "t1") == Published("t1", (), Knows.CACHED)


def test_the_word_of_a_lease_that_changed_hands_counts_for_nothing(root: Path) -> None:
    publish(root, "n1", SAID)
    assert read_published(root, "n1", "t2") == Published("t2")
    assert read_published(root, "n2", "") == Published("")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{}", '{"token": 1}', '{"token": "t1", "raised": 7}', "\0" * 100],
)
def test_damage_says_nothing(root: Path, text: str) -> None:
    published_path(root, "n1").write_text(text)
    assert read_published(root, "n1", "t1") == Published("t1")


def test_a_newer_node_may_say_more(root: Path) -> None:
    more = {"token": "t1", "raised": ["192.0.2.25"], "directory": "dreams", "mood": 1, "format": 9}
    published_path(root, "n1").write_text(json.dumps(more))
    assert read_published(root, "n1", "t1") == Published("t1", ("192.0.2.25",))


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ([], Knows.UNASKED),
        ([{}], Knows.UNASKED),
        ([{"answers": True}, {"answers": False, "cached": 0}], Knows.ANSWERS),
        ([{"answers": False, "cached": 0}, {"answers": False, "cached": 4}], Knows.CACHED),
        ([{}, {"answers": False, "cached": 0}], Knows.NOTHING),
    ],
)
def test_the_best_worker_speaks_for_the_node(told: list[dict[str, object]], what: Knows) -> None:
    assert knows(told) is what
