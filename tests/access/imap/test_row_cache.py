"""What is answered again from memory: the same bytes, newest flags, nothing of what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnode.access.imap import row_cache
from mailnode.access.imap.fetch import Fetcher
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.row_cache import RowCache
from mailnode.model.errors import NoPermission
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, FlagsOp
from mailnode.store.acl import Entry
from mailnode.store.shared import Spaces
from mailnode.store.sharing import SharingStore
from mailnode.wire.imap.fetch_items import Fact, FetchItem, Section, SectionKind
from tests.support.mail_store import OpenStore, message

ANN = AccountRef("ann@example.test", "example.test/ann")
BOB = AccountRef("bob@example.test", "example.test/bob")
HEADER = Section((), SectionKind.HEADER, peek=True)
ITEMS: tuple[FetchItem, ...] = (Fact.FLAGS, Fact.SIZE, Fact.ENVELOPE, HEADER)


def test_the_room_is_bounded() -> None:
    cache = RowCache(10_000)
    for folder in range(10):
        cache.keep(folder, dict.fromkeys(range(3), b"x" * 900))
    assert [folder for folder in range(10) if cache.of(folder)] == [7, 8, 9]
    cache.of(7)
    cache.keep(10, {1: b"x" * 900})
    cache.keep(10, {1: b"x" * 900, 2: b"x" * 900})
    assert [folder for folder in range(11) if cache.of(folder)] == [7, 9, 10]
    cache.keep(10, dict.fromkeys(range(3, 30), b"x" * 900))
    assert not cache.of(10)
    assert not cache.of("unknown")


def test_answers_from_memory_are_as_the_first_ones(tmp_path: Path) -> None:
    opened, cache = OpenStore(tmp_path), MessageCache()
    folder, other = opened.folder(), opened.folder()
    folder.append([message("a"), message("b"), message("c")])
    rows = range(3)

    def fetch(items: tuple[FetchItem, ...] = ITEMS) -> tuple[bytes, list[int]]:
        fetcher = Fetcher(
            folder, items, condstore=False, read_only=False, recent=(),
            cache=cache,
        )  # fmt: skip
        found, left = b"", rows
        gone: list[int] = []
        while left:
            rendered = fetcher.render(left, picture)
            left = left[rendered.done :]
            gone += rendered.gone
            found += b"".join(piece for piece in rendered.pieces if isinstance(piece, bytes))
        return found, gone

    picture = folder.refresh()
    first = fetch()
    assert fetch() == first
    assert first[0].count(b"ENVELOPE") == 3
    assert cache.rows.of((picture.uidvalidity, folder.key, *ITEMS[1:])).keys() == {1, 2, 3}
    assert b"ENVELOPE" not in fetch((Fact.FLAGS, Fact.SIZE))[0]
    folder.store_flags([2], FlagsOp.ADD, Flag.FLAGGED, frozenset())
    picture = folder.refresh()
    assert fetch()[0] == first[0].replace(b"2 FETCH (FLAGS (", b"2 FETCH (FLAGS (\\Flagged")
    other.remove([3])
    assert fetch()[1] == [3]
    folder.close()
    other.close()
    opened.close()


def test_keys_and_empty_answers_do_not_grow_beyond_the_room() -> None:
    cache = RowCache(100_000)
    for number in range(50):
        cache.keep((number, "x" * 9000), {})
        cache.keep((number, "y" * 9000), {1: b""})
        cache.keep((number, *["z"] * 1000), {1: b""})
    assert not any(cache.of((number, "x" * 9000)) for number in range(50))
    kept = [n for n in range(50) if cache.of((n, "y" * 9000)) or cache.of((n, *["z"] * 1000))]
    assert 0 < len(kept) < 100_000 / 9000
    assert not RowCache(10_000).of(("x" * 9000,))


def test_the_number_of_tables_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "MAX_TABLES", 3)
    cache = RowCache()
    for number in range(9):
        cache.keep(number, {1: b"x"})
    assert [number for number in range(9) if cache.of(number)] == [6, 7, 8]


def test_nothing_is_answered_from_memory_once_it_may_not_be_read(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    account = opened.store.account(ANN)
    account.change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    folder = SharingStore(opened.store, Spaces()).account(BOB).open(f"Other Users/{ANN.user}/INBOX")
    own = account.open("INBOX")
    own.append([message("a")])
    picture = folder.refresh()
    cache = MessageCache()
    fetchers = [
        Fetcher(
            folder, items, condstore=False, read_only=True, recent=(),
            cache=cache,
        )
        for items in (ITEMS, (Fact.FLAGS,))
    ]  # fmt: skip
    for fetcher in fetchers:
        assert fetcher.render([0], picture).done == 1
    account.change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "l")))
    for fetcher in fetchers:
        with pytest.raises(NoPermission):
            fetcher.render([0], picture)
    folder.close()
    own.close()
    opened.close()
