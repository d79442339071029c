"""SEARCH keys over a folder in memory."""

from __future__ import annotations

import asyncio
import threading
from datetime import date

import pytest

from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.row_cache import RowCache
from mailnode.access.imap.search import BRISK_BYTES, MAX_DEPTH, Searcher, TooDeep
from mailnode.access.imap.search_match import sent_day
from mailnode.model.flags import Flag
from mailnode.runtime.tasks import Pool
from mailnode.wire.imap import ast
from mailnode.wire.imap.ast import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateOp,
    FlagKey,
    HeaderKey,
    KeywordKey,
    ModSeqKey,
    NotKey,
    OrKey,
    SizeKey,
    TextKey,
    UidKey,
)
from mailnode.wire.imap.sets import SequenceSet
from tests.access.imap.mailroom import CountingFolder, cache, make_folder, put

DAY = 86400.0
NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC

MESSAGES = [
    b"Subject: Hello\r\nFrom: Ann <ann@x.test>\r\n"
    b"Date: Tue, 14 Nov 2023 01:00:00 +0900\r\n\r\nfirst",
    (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nTo: bob@y.test\r\n\r\nsecond body"),
    (
        b"Subject: coded\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\nDate: 1 Jan 99 00:00 GMT\r\n\r\n"
        b"R3LDvMOfZSB2b24gaGllcg==\r\n"
    ),
    b"X-Empty:\r\n\r\n" + b"x" * 5000,
]


@pytest.fixture
def folder() -> CountingFolder:
    found = make_folder()
    put(found, MESSAGES[0], Flag.SEEN | Flag.FLAGGED, ["$Work"], NOW)
    put(found, MESSAGES[1], Flag.SEEN, [], NOW - DAY)
    put(found, b"to be expunged", Flag.DELETED)
    put(found, MESSAGES[2], Flag.ANSWERED, ["$Junk", "$Work"], NOW - 40 * DAY)
    put(found, MESSAGES[3], Flag(0), [], NOW - 2 * DAY)
    found.expunge()
    return found


def searcher(folder: CountingFolder, key: ast.SearchKey, saved: tuple[int, ...] = ()) -> Searcher:
    return Searcher(
        folder,
        key,
        folder.picture(),
        is_recent=lambda uid: uid >= 4,
        saved=saved,
        now=NOW,
        cache=cache(),
    )


def find(folder: CountingFolder, key: ast.SearchKey, saved: tuple[int, ...] = ()) -> list[int]:
    """The message numbers found (1 to 4; their UIDs are 1, 2, 4, 5)."""
    search = searcher(folder, key, saved)
    while not search.advance(1):
        pass
    assert search.uids == [(1, 2, 4, 5)[n - 1] for n in search.numbers]
    return search.numbers


def on(field: DateField, op: DateOp, year: int, month: int, day: int) -> DateKey:
    return DateKey(field, op, date(year, month, day))


INTERNAL, SENT = DateField.INTERNAL, DateField.SENT


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (AllKey(), [1, 2, 3, 4]),
        (AndKey(()), [1, 2, 3, 4]),
        (FlagKey(Flag.SEEN), [1, 2]),
        (FlagKey(Flag.SEEN, present=False), [3, 4]),
        (KeywordKey("$work"), [1, 3]),
        (KeywordKey("$Work", present=False), [2, 4]),
        (KeywordKey("none"), []),
        (KeywordKey("none", present=False), [1, 2, 3, 4]),
        (UidKey(SequenceSet(((2, 4),))), [2, 3]),
        (UidKey(SequenceSet(((3, 3), (9, 0)))), [4]),
        (ast.SeqKey(SequenceSet(((2, 3),))), [2, 3]),
        (ast.SeqKey(SequenceSet((), saved=True)), [1, 3]),
        (UidKey(SequenceSet((), saved=True)), [1, 3]),
        (SizeKey(True, 1000), [4]),
        (SizeKey(False, 1000), [1, 2, 3]),
        (SizeKey(True, len(MESSAGES[3])), []),
        (on(INTERNAL, DateOp.ON, 2023, 11, 14), [1]),
        (on(INTERNAL, DateOp.BEFORE, 2023, 11, 14), [2, 3, 4]),
        (on(INTERNAL, DateOp.SINCE, 2023, 11, 13), [1, 2]),
        (on(SENT, DateOp.ON, 2023, 11, 14), [1]),
        (on(SENT, DateOp.BEFORE, 2000, 1, 1), [3]),
        (on(SENT, DateOp.SINCE, 1990, 1, 1), [1, 3]),
        (on(DateField.SAVED, DateOp.ON, 2023, 11, 14), [1, 2, 3, 4]),
        (AgeKey(False, 3600 * 30), [1, 2]),
        (AgeKey(True, 3600 * 30), [3, 4]),
        (HeaderKey("subject", "hell"), [1]),
        (HeaderKey("subject", "GRÜßE"), [2]),
        (HeaderKey("from", "ann <ANN@"), [1]),
        (HeaderKey("to", "y.test"), [2]),
        (HeaderKey("x-empty", ""), [4]),
        (HeaderKey("x-empty", "a"), []),
        (HeaderKey("subject", ""), [1, 2, 3]),
        (TextKey("grüße"), [2, 3]),
        (TextKey("grüße", body_only=True), [3]),
        (TextKey("SECOND BODY", body_only=True), [2]),
        (TextKey("subject: hello"), [1]),
        (TextKey("R3LD", body_only=True), []),
        (TextKey("", body_only=True), [1, 2, 3, 4]),
        (ast.RecentKey(ast.Recency.RECENT), [3, 4]),
        (ast.RecentKey(ast.Recency.NEW), [3, 4]),
        (ast.RecentKey(ast.Recency.OLD), [1, 2]),
        (ast.SaveDateKey(), [1, 2, 3, 4]),
        (NotKey(TextKey("grüße")), [1, 4]),
        (NotKey(NotKey(FlagKey(Flag.SEEN))), [1, 2]),
        (OrKey(TextKey("second"), FlagKey(Flag.ANSWERED)), [2, 3]),
        (OrKey(FlagKey(Flag.SEEN), FlagKey(Flag.FLAGGED)), [1, 2]),
        (AndKey((TextKey("e"), FlagKey(Flag.SEEN), NotKey(HeaderKey("to", "bob")))), [1]),
        (AndKey((FlagKey(Flag.SEEN), NotKey(FlagKey(Flag.SEEN)))), []),
    ],
)
def test_keys(folder, key, expected):
    assert find(folder, key, saved=(1, 3, 4)) == expected


def test_modseq(folder):
    modseqs = folder.picture().modseqs
    assert find(folder, ModSeqKey(modseqs[2])) == [3, 4]
    search = searcher(folder, UidKey(SequenceSet(((1, 2),))))
    assert search.advance()
    assert search.highest_modseq == modseqs[1]


def test_object_ids(folder):
    wanted = folder.infos([2])[0].email_id
    assert find(folder, ast.ObjectIdKey(wanted)) == [2]
    assert find(folder, ast.ObjectIdKey("x", thread=True)) == []


def test_flags_and_numbers_need_no_disk(folder):
    picture = folder.picture()
    key = AndKey((FlagKey(Flag.SEEN), UidKey(SequenceSet(((1, 0),))), KeywordKey("$Work")))
    folder.kept.clear()
    search = Searcher(folder, key, picture, is_recent=bool, saved=(), now=NOW, cache=cache())
    assert search.advance(100)
    assert search.numbers == [1]
    assert (folder.reads, folder.asked) == (0, 0)


def test_files_are_read_for_undecided_rows_only(folder):
    find(folder, AndKey((TextKey("x"), SizeKey(True, 1000))))
    assert folder.reads == 1
    find(folder, OrKey(TextKey("x"), FlagKey(Flag.SEEN)))
    assert folder.reads == 3


def test_works_in_steps(folder):
    search = searcher(folder, TextKey("x"))
    assert not search.advance(2)
    assert folder.reads == 2
    assert search.advance(10)


def test_vanished_messages_contain_nothing(folder):
    search = searcher(folder, OrKey(TextKey("grüße"), HeaderKey("subject", "e")))
    folder.remove([1, 2])
    while not search.advance():
        pass
    assert search.numbers == [3]


def test_an_empty_folder():
    assert find(make_folder(), NotKey(TextKey("x"))) == []


def test_depth_is_bounded(folder):
    deep: ast.SearchKey = FlagKey(Flag.SEEN)
    for _ in range(MAX_DEPTH - 1):
        deep = NotKey(deep)
    assert find(folder, deep) == [3, 4]
    for outer in (NotKey(deep), OrKey(AllKey(), deep), AndKey((deep,))):
        with pytest.raises(TooDeep):
            searcher(folder, outer)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"Mon, 1 Jan 2024 23:59:59 -1200", date(2024, 1, 1)),
        (b"1 january 2024", date(2024, 1, 1)),
        (b"31-Dec-1999", date(1999, 12, 31)),
        (b"1 Jan 49 00:00", date(2049, 1, 1)),
        (b"1 Jan 50 00:00", date(1950, 1, 1)),
        (b"1 Jan 101 00:00", date(2001, 1, 1)),
        (b"32 Jan 2024", None),
        (b"1 Foo 2024", None),
        (b"1 Jan 0", None),
        (b"garbage", None),
        (b"", None),
    ],
)
def test_days_of_date_fields(value, day):
    assert sent_day(b"Date: " + value + b"\r\n\r\n") == day


def _searched(folder: CountingFolder, key: TextKey | HeaderKey, held: MessageCache) -> Searcher:
    """A search that has ended, with what an earlier one left at hand."""
    found = Searcher(
        folder, key, folder.picture(), is_recent=lambda _: False, saved=(), now=NOW, cache=held
    )
    while not found.advance():
        pass
    return found


@pytest.mark.parametrize(
    ("message", "key", "here"),
    [
        (b"Subject: x\r\n\r\nneedle", TextKey("needle"), True),
        (b"Subject: x\r\n\r\nneedle" + b"x" * BRISK_BYTES, TextKey("needle"), False),
        (b"Subject: needle\r\n\r\n", HeaderKey("subject", "needle"), True),
        (b"X: y\r\n" * BRISK_BYTES + b"Subject: needle\r\n\r\n", HeaderKey("subject", ""), False),
    ],
)
def test_what_is_large_is_searched_in_a_thread(
    message: bytes, key: TextKey | HeaderKey, here: bool
) -> None:
    folder, held, threads = make_folder(), cache(), list[int]()
    put(folder, message)

    def search() -> Searcher:
        found = _searched(folder, key, held)
        threads.append(threading.get_ident())
        return found

    assert search().uids == [1]  # from now on all is at hand
    held.rows = RowCache()  # but not what was found in it
    pool = Pool(1, "search-test")
    assert asyncio.run(pool.brisk(search)).uids == [1]
    pool.close()
    assert (threads[1] == threads[0]) == here


def test_a_field_looked_for_again_needs_no_header_until_the_folder_changes() -> None:
    folder, kept, asked = make_folder(), cache(), list[list[int]]()
    for name in ("one", "two"):
        put(folder, b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= %b\r\n\r\nbody" % name.encode())
    summaries = folder.summaries
    folder.summaries = lambda uids, kind: asked.append(list(uids)) or summaries(uids, kind)  # type: ignore[method-assign]

    def look(value: str, name: str = "Subject") -> list[int]:
        return _searched(folder, HeaderKey(name, value), kept).numbers

    assert look("grüße") == [1, 2]
    assert [look("TWO"), look("", "SUBJECT"), look("three")] == [[2], [1, 2], []]
    assert asked == [[1, 2]]
    put(folder, b"To: x\r\n\r\nno subject, three")
    assert [look(""), look("one"), look("x", "to")] == [[1, 2], [1], [3]]
    assert asked == [[1, 2], [3], [1, 2, 3]]


def test_what_is_kept_of_a_field_is_not_told_of_a_message_that_is_gone() -> None:
    folder, kept = make_folder(), cache()
    uid = put(folder, MESSAGES[0], Flag.DELETED)
    key, then = HeaderKey("Subject", "hello"), folder.picture()

    def look() -> list[int]:
        facts = {"is_recent": lambda _: False, "saved": (), "now": NOW, "cache": kept}
        search = Searcher(folder, key, then, **facts)  # type: ignore[arg-type]
        assert search.advance()
        return search.uids

    assert look() == [uid]
    folder.expunge()
    assert look() == []
