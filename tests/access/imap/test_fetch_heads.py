"""How responses begin: many at once are the same as one after the other."""

from __future__ import annotations

import itertools

import pytest

from mailnode.access.imap.fetch_heads import FROM_PICTURE, Heads
from mailnode.store import Picture
from mailnode.wire.imap.fetch_items import Fact

PICTURE = Picture(
    uidvalidity=1,
    uidnext=30,
    highestmodseq=99,
    uids=(3, 5, 6, 9, 20),
    flags=(0, 1, 3, 16, 1),
    modseqs=(11, 12, 13, 14, 15),
    keyword_bits=(0, 0, 3, 2, 0),
    keywords=("$Work", "a%b"),
)
FLAGS = [b"()", b"(\\Seen)", b"(\\Answered \\Seen $Work a%b)", b"(\\Draft a%b)", b"(\\Seen)"]
SORTED = sorted(FROM_PICTURE, key=str)
CHOICES = [frozenset(some) for n in range(4) for some in itertools.combinations(SORTED, n)]


def plain(row: int, facts: frozenset[Fact], uid_only: bool, content: bool) -> bytes:
    """One response, the slow way."""
    uid, words = PICTURE.uids[row], []
    if Fact.UID in facts and not (uid_only and (content or len(facts) > 1)):
        words.append(b"UID %d" % uid)
    if Fact.FLAGS in facts:
        words.append(b"FLAGS " + FLAGS[row])
    if Fact.MODSEQ in facts:
        words.append(b"MODSEQ (%d)" % PICTURE.modseqs[row])
    if content:
        words.append(b"X%%d %d" % row)
    number, name = (uid, b"UIDFETCH") if uid_only else (row + 1, b"FETCH")
    return b"* %d %b (%b)\r\n" % (number, name, b" ".join(words))


@pytest.mark.parametrize(
    "facts", CHOICES, ids=lambda found: "+".join(sorted(f.name for f in found)) or "-"
)
@pytest.mark.parametrize("uid_only", [False, True])
@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("rows", [range(5), range(1, 3), [0, 2, 4], [3]])
def test_lines(facts, uid_only, content, rows):
    if not facts and not content:
        return  # nothing was asked for, which the grammar does not allow
    heads = Heads(facts, content=content, condstore=False, uid_only=uid_only, recent=())
    texts = [b"X%%d %d" % row for row in rows] if content else []
    expected = [plain(row, facts, uid_only, content) for row in rows]
    assert heads.lines(rows, PICTURE, texts) == b"".join(expected)
    for row, text, line in itertools.zip_longest(rows, texts, expected, fillvalue=b""):
        assert heads.head(row, PICTURE) + text + b")\r\n" == line


@pytest.mark.parametrize(
    ("recent", "expected"),
    [
        ([], set()),
        ([range(1, 30)], {3, 5, 6, 9, 20}),
        ([range(5, 7), range(20, 21)], {5, 6, 20}),
        ([range(1, 3), range(21, 30)], set()),
        ([range(4, 5)], set()),
    ],
)
def test_recent(recent, expected):
    facts = {Fact.UID, Fact.FLAGS}
    heads = Heads(facts, content=False, condstore=False, uid_only=False, recent=recent)
    for rows in (range(5), [0, 1, 2, 3, 4]):
        lines = heads.lines(rows, PICTURE).splitlines()
        found = {uid for uid, line in zip(PICTURE.uids, lines, strict=True) if b"\\Recent" in line}
        assert found == expected
