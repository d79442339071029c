"""SEARCH and SORT of many messages by lines find what a look at each header finds."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from typing import TypeVar

import pytest

from mailnode.access.imap import filling, lines, sort
from mailnode.access.imap.orders import Orders
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.sort import sort_rows, stable
from mailnode.access.imap.thread import (
    format_written,
    in_order,
    thread_rows,
    threaded_rows,
)
from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.store import AccountRef, Folder
from mailnode.store.lines import SPAN
from mailnode.wire.imap.ast import (
    AllKey,
    AndKey,
    Criterion,
    FlagKey,
    HeaderKey,
    SearchKey,
    SortKey,
    Threading,
)
from mailnode.wire.mime.sortkeys import make_keys
from mailnode.wire.mime.summary import summarise
from tests.access.imap.mailroom import CountingFolder, cache, make_folder, put
from tests.support.fake_store import FakeFolder, FakeStore

T = TypeVar("T")
SUBJECTS = [
    b"plain words", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"Re: plain  words", b"", b"x" * 3000,
    b"=?utf-8?q?two=0Alines?=", b"[list] Zebra", b"\xe9t\xe9",
]  # fmt: skip
KEYS = [
    HeaderKey("SUBJECT", text)
    for text in ("", "plain", "GRÜSSE", "grüße", "xx", "two\nlines", "zebra", "no such", "été")
] + [HeaderKey("X-Other", "a"), HeaderKey("Cc", ""), HeaderKey("from", "ann5@")]


def summary(data: bytes, kind: str) -> bytes:
    parts = summarise(data)
    return make_keys(parts["headers"]) if kind == "sortkeys" else parts[kind]


def message(number: int) -> bytes:
    subject = SUBJECTS[number % len(SUBJECTS)]
    twice = b"Subject: another\r\n" if number % 11 == 0 else b""
    head = b"" if number % 13 == 0 else b"Subject: %b\r\n" % subject
    date = b"Date: Tue, 14 Nov 2023 %02d:00:00 +0000\r\n" % (number % 24) if number % 5 else b""
    cc = b"Cc: c%d@x.test\r\n" % (number % 3) if number % 7 == 0 else b""
    text = b"From: Ann <ann%d@x.test>\r\nX-Other: a%d\r\n" % (number % 10, number % 4)
    return head + twice + date + cc + text + b"\r\nbody\r\n"


@pytest.fixture
def folder() -> CountingFolder:
    """Messages in three blocks, with gaps; some UIDs lie further on alone."""
    found = make_folder()
    found.account.store.summary = summary
    for number in range(1, 150):
        found.uidnext += SPAN // 64 if number < 140 else 20 * SPAN
        put(found, message(number), Flag.SEEN if number % 2 else Flag(0), at=1.7e9 - number % 9)
    return found


def done(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def search(folder: Folder, key: SearchKey, rows: Sequence[int] | None = None) -> list[int]:
    searcher = Searcher(
        folder, key, folder.picture(), is_recent=lambda uid: False, saved=(), now=0.0,
        cache=cache(), rows=rows,
    )  # fmt: skip
    while not searcher.advance(1):
        pass
    return list(searcher.rows)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "are_worth_it", lambda uids, rows: False)


@pytest.fixture
def near(folder: CountingFolder) -> range:
    """The rows that lie near each other."""
    return range(139)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.name}-{key.value}")
def test_search(
    folder: CountingFolder, near: range, key: HeaderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseen = AndKey((FlagKey(Flag.SEEN, present=False), key))
    quick = [search(folder, one, near) for one in (key, unseen, key)]
    assert quick == [search(folder, one, near) for one in (key, unseen, key)]
    folder.line_blocks.clear()
    one_by_one(monkeypatch)
    assert quick == [search(folder, one, near) for one in (key, unseen, key)]


def test_lines_are_made_once(folder: CountingFolder, near: range) -> None:
    key = HeaderKey("SUBJECT", "zebra")
    assert search(folder, key, near)
    read: list[bytes] = []
    folder.account.store.summary = lambda data, kind: read.append(data) or summary(data, kind)
    assert search(folder, HeaderKey("Subject", "no such"), near) == []
    assert len(read) < 40, "only those whose lines do not tell"
    assert all(b"xxx" in data or b"=0A" in data for data in read)


def test_few_messages_or_scattered_ones_are_looked_at_one_by_one(folder: CountingFolder) -> None:
    uids = folder.picture().uids
    assert lines.are_worth_it(uids, range(139))
    assert not lines.are_worth_it(uids, range(lines.HEADERS_AT_ONCE))
    assert not lines.are_worth_it(uids, range(len(uids)))
    assert search(folder, HeaderKey("Subject", "zebra"))
    assert not folder.line_blocks


def test_messages_that_come_and_go(folder: CountingFolder, near: range) -> None:
    key = HeaderKey("SUBJECT", "zebra")
    before = search(folder, key, near)
    uids = [folder.picture().uids[row] for row in before]
    folder.remove(uids[:3])
    assert len(search(folder, key, range(136))) == len(before) - 3
    picture = folder.picture()
    del folder.kept[uids[4]]  # gone, and this session does not know it yet
    row = picture.uids.index(uids[4])
    for blocks in folder.line_blocks.values():
        blocks.clear()
    assert row not in search(folder, key, range(136))


CRITERIA = [
    [Criterion(SortKey.SUBJECT)],
    [Criterion(SortKey.DATE, reverse=True)],
    [Criterion(SortKey.ARRIVAL), Criterion(SortKey.FROM, reverse=True)],
    [Criterion(SortKey.CC), Criterion(SortKey.SIZE)],
    [Criterion(SortKey.DISPLAYFROM), Criterion(SortKey.DISPLAYTO), Criterion(SortKey.TO)],
]


@pytest.mark.parametrize("criteria", CRITERIA, ids=lambda some: "-".join(c.key.value for c in some))
def test_sort(
    folder: CountingFolder,
    near: range,
    criteria: list[Criterion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = folder.picture()
    some = [row for row in near if row % 10]
    quick = [done(sort_rows(folder, picture, rows, criteria)) for rows in (near, some, near)]
    one_by_one(monkeypatch)
    monkeypatch.setattr(sort, "RUN", 7)
    assert quick == [
        done(sort_rows(folder, picture, rows, criteria)) for rows in (near, some, near)
    ]
    assert sorted(quick[1]) == some


@pytest.mark.parametrize("reverse", [False, True])
def test_runs_are_merged_to_a_stable_order(monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    monkeypatch.setattr(sort, "RUN", 10)
    for count in (0, 1, 10, 11, 95, 200):
        keys = [float(random.Random(n).randrange(9)) for n in range(count)]
        order = done(stable(list(range(count)), keys.__getitem__, reverse))
        assert order == sorted(range(count), key=keys.__getitem__, reverse=reverse)


def test_an_order_is_known_until_messages_come_or_go(folder: CountingFolder) -> None:
    orders, criteria = Orders(), (Criterion(SortKey.SUBJECT), Criterion(SortKey.ARRIVAL))

    def sorted_rows(rows: Sequence[int]) -> list[int]:
        picture = folder.picture()
        found = list(done(sort_rows(folder, picture, rows, criteria, orders=orders)))
        assert found == done(sort_rows(folder, picture, rows, criteria))
        return found

    every = range(len(folder.kept))
    first = sorted_rows(every)
    folder.keep_lines("key subject", {})
    steps = sort_rows(folder, folder.picture(), every, criteria, orders=orders)
    with pytest.raises(StopIteration) as stop:
        next(steps)  # nothing is done
    assert list(stop.value.value) == first
    sorted_rows(every[5:])
    folder.remove([folder.picture().uids[3]])
    sorted_rows(range(len(folder.kept)))
    put(folder, message(2))
    sorted_rows(range(len(folder.kept)))


def test_orders_take_no_more_than_they_may(folder: CountingFolder) -> None:
    picture, one, two = folder.picture(), Criterion(SortKey.TO), Criterion(SortKey.CC)
    rows = range(len(picture.uids))
    orders = Orders(limit_bytes=8 * len(rows))
    orders.keep("a", picture, one, rows)
    orders.keep("a", picture, one, rows)
    assert orders.get("a", picture, one)
    orders.keep("a", picture, two, rows)
    assert orders.get("a", picture, two)
    assert orders.get("a", picture, one) is None
    small = Orders(limit_bytes=8)
    small.keep("a", picture, one, rows)
    assert small.get("a", picture, one) is None


def test_a_search_for_nothing_but_a_flag(folder: CountingFolder) -> None:
    for present in (True, False):
        key = FlagKey(Flag.SEEN, present=present)
        found = search(folder, key)
        assert found == [row for row in search(folder, AllKey()) if (row % 2 == 0) is present]
        assert search(folder, key, found) == found


def test_an_idle_folder_has_its_lines_made(monkeypatch: pytest.MonkeyPatch) -> None:
    account = FakeStore(summary=summary).account(AccountRef("u@x.test", "x.test/u"))
    inbox = account.open("INBOX")
    assert isinstance(inbox, FakeFolder)
    for number in range(60):
        put(inbox, message(number))
    assert filling.fill(account, "INBOX", cache(), SystemClock())
    kinds = {"field subject", "field from", "field to", "key subject", "key date", "key sender"}
    assert {kind: len(blocks[0].uids) for kind, blocks in inbox.line_blocks.items()} == (
        dict.fromkeys(kinds, 60)
    )
    put(inbox, message(61))
    monkeypatch.setattr(filling, "BUDGET_S", 0.0)
    assert not filling.fill(account, "INBOX", cache(), SystemClock())
    monkeypatch.setattr(filling, "BUDGET_S", 60.0)
    assert filling.fill(account, "INBOX", cache(), SystemClock())
    assert all(len(blocks[0].uids) == 61 for blocks in inbox.line_blocks.values())
    wanted = search(inbox, HeaderKey("SUBJECT", "zebra"))
    made = [row for row in range(61) if b"Zebra" in inbox.read(inbox.picture().uids[row])]
    assert wanted == made


@pytest.mark.parametrize("algorithm", Threading)
def test_threads_are_known_until_messages_come_or_go(
    folder: CountingFolder, algorithm: Threading
) -> None:
    orders = Orders()

    def text(rows: Sequence[int]) -> bytes:
        asked = folder, folder.picture(), rows, algorithm
        anew = format_written(list(in_order(done(thread_rows(*asked)))), lambda row: row + 1)
        for _ in range(2):
            written = done(threaded_rows(*asked, orders))
            assert format_written(written, lambda row: row + 1) == anew
        return anew

    every = text(range(len(folder.kept)))
    assert text(range(5, 20)) != every
    steps = threaded_rows(folder, folder.picture(), range(len(folder.kept)), algorithm, orders)
    with pytest.raises(StopIteration):
        next(steps)  # nothing is done
    folder.remove([folder.picture().uids[3]])
    assert text(range(len(folder.kept))) != every
    assert text(()) == b""
