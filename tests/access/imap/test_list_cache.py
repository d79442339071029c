"""Answers to LIST from memory."""

from __future__ import annotations

from dataclasses import replace

from mailnode.access.imap.list_cache import MAX_FOLDERS, MAX_USERS, ListCache, Question
from mailnode.store import FolderInfo
from mailnode.wire.imap.ast import List

INFO = FolderInfo("INBOX", True, False, True)
ASKED = Question(List("", ("*",)), False, [INFO], ["INBOX"])


def test_the_same_question_has_the_same_answer() -> None:
    cache = ListCache()
    assert cache.of("u", ASKED) is None
    cache.keep("u", ASKED, b"* LIST")
    assert cache.of("u", ASKED._replace(folders=[replace(INFO)])) == b"* LIST"
    assert cache.of("other", ASKED) is None


def test_whatever_is_another_makes_another_question() -> None:
    cache = ListCache()
    cache.keep("u", ASKED, b"* LIST")
    for other in (
        ASKED._replace(args=List("", ("%",))),
        ASKED._replace(args=List("", ("*",), returns=frozenset({"SUBSCRIBED"}))),
        ASKED._replace(utf8=True),
        ASKED._replace(folders=[replace(INFO, has_children=True)]),
        ASKED._replace(folders=[]),
        ASKED._replace(subscribed=[]),
    ):
        assert cache.of("u", other) is None


def test_it_is_bounded() -> None:
    cache = ListCache()
    for number in range(MAX_USERS + 1):
        cache.keep(f"u{number}", ASKED, b"x")
    assert cache.of("u0", ASKED) is None
    assert cache.of("u1", ASKED) == b"x"
    many = ASKED._replace(folders=[INFO] * (2 * MAX_FOLDERS))
    cache.keep("u1", many, b"x")
    assert cache.of("u1", many) is None
    assert cache.of("u1", ASKED) is None
