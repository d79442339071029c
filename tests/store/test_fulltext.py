"""The full-text index of the view: never a message too few."""

import sqlite3
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.store import fulltext
from mailnode.store.view import FolderView, View

TEXTS = st.text('abÄ"\n\0 \u0301\U0001f600', max_size=30)


def folder(path: Path) -> FolderView:
    return View(path).folder("u", "box", 7)


@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS.filter(bool), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whoever_contains_it_is_named(texts: list[str], needles: list[str]) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(fulltext.SCHEMA)
    fulltext.keep_texts(db, 1 << 32, dict(enumerate(texts, 1)))
    uids = range(1, len(texts) + 3)
    for needle in [*needles, *(text[1:6] for text in texts)]:
        possible = fulltext.may_contain(db, 1 << 32, uids, needle)
        wanted = {uid for uid, text in enumerate(texts, 1) if needle in text}
        assert wanted <= possible.keys()
        assert {uid for uid in possible if not possible[uid]} == set(uids[len(texts) :])
    db.close()


def test_it_rules_out_what_it_knows(tmp_path: Path) -> None:
    view = folder(tmp_path)
    view.keep_texts({1: "THE QUICK FOX", 2: "THE LAZY DOG", 3: "x" * (fulltext.MAX_TEXT + 1)})
    assert view.may_contain([1, 2, 3, 4], "QUICK") == {1: True, 3: True, 4: False}
    assert view.may_contain([1, 2], "THE") == {1: True, 2: True}
    # Too short to have a run of three: everybody may.
    assert view.may_contain([1, 2], "QU") == {1: True, 2: True}
    # Another folder's texts, or another life's, are not these.
    assert View(tmp_path).folder("u", "other", 7).may_contain([1], "FOX") == {1: False}
    assert View(tmp_path).folder("u", "box", 8).may_contain([1], "FOX") == {1: False}


def test_a_text_goes_in_once(tmp_path: Path) -> None:
    view = folder(tmp_path)
    view.keep_texts({1: "ONE TEXT"})
    view.keep_texts({1: "ONE TEXT"})
    assert view.may_contain([1], "TEXT") == {1: True}


def test_what_is_forgotten_is_not_known_any_more(tmp_path: Path) -> None:
    view = folder(tmp_path)
    view.keep_texts({1: "ALPHA", 2: "BETA", 3: "GAMMA"})
    view.forget([1])
    assert view.may_contain([1, 2], "ALPHA") == {1: False}
    view.prune([3])
    assert view.may_contain([2, 3], "GAMMA") == {2: False, 3: True}


def test_junk_is_thrown_out_in_the_end(tmp_path: Path) -> None:
    view = folder(tmp_path)
    view.keep_texts({uid: f"NUMBER {uid}" for uid in range(1, 1300)})
    view.forget(range(1, 900))
    assert view.may_contain([1000], "NOTHING") == {}
    view.forget(range(900, 1100))
    # The index was dropped as a whole; what is alive is indexed anew when it is searched.
    assert view.may_contain([1200], "NOTHING") == {1200: False}
    view.keep_texts({1200: "NUMBER 1200"})
    assert view.may_contain([1200], "NOTHING") == {}
