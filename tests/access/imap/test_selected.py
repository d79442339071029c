import pytest

from mailnode.access.imap.enabled import Enabled
from mailnode.access.imap.selected import News, Selected, overlay
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, FlagsOp, NewMessage, Picture
from tests.support.fake_store import FakeFolder, FakeStore

SEEN = int(Flag.SEEN)


def folder(count: int) -> FakeFolder:
    opened = FakeStore().account(AccountRef("u", "d/u")).open("INBOX")
    opened.append([NewMessage((b"x",), 0.0) for _ in range(count)])
    assert isinstance(opened, FakeFolder)
    return opened


def told(selected: Selected, *, condstore: bool = False) -> list[bytes]:
    selected.enabled.condstore = condstore
    news = selected.look()
    return [] if news is None else b"".join(selected.tell(news)).split(b"\r\n")[:-1]


def test_expunges_are_numbered_so_that_they_can_be_applied_in_order() -> None:
    mailbox = folder(5)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    mailbox.remove([1, 3, 4])
    assert told(selected) == [b"* 4 EXPUNGE", b"* 3 EXPUNGE", b"* 1 EXPUNGE"]


def test_arrivals_claim_recent_unless_read_only() -> None:
    mailbox = folder(1)
    start, claimed = mailbox.refresh(), mailbox.claim_recent()
    writer = Selected(mailbox, start, claimed, False, Enabled())
    reader = Selected(mailbox, start, range(0), True, Enabled())
    mailbox.append([NewMessage((b"y",), 0.0)])
    assert told(reader) == [b"* 2 EXISTS", b"* 1 RECENT"]
    assert told(writer) == [b"* 2 EXISTS", b"* 2 RECENT"]
    assert told(Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())) == []


def test_own_changes_are_not_told_again_but_later_ones_are() -> None:
    mailbox = folder(2)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    mine = mailbox.store_flags([1, 2], FlagsOp.ADD, Flag.SEEN, frozenset())
    selected.own |= {mine.modseq}
    mailbox.store_flags([2], FlagsOp.ADD, Flag.FLAGGED, frozenset())
    assert told(selected) == [b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen))"]
    assert selected.own == set()


def test_modseq_is_told_with_condstore() -> None:
    mailbox = folder(1)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    change = mailbox.store_flags([1], FlagsOp.ADD, Flag.SEEN, frozenset())
    line = b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (%d))" % change.modseq
    assert told(selected, condstore=True) == [line]


def test_overlay_keeps_numbers_and_takes_flags() -> None:
    old = Picture(1, 9, 5, (1, 2, 3), (0, 0, 0), (1, 2, 3), (0, 0, 0), ())
    new = Picture(1, 9, 9, (1, 3, 7), (SEEN, 0, 0), (8, 3, 9), (0, 1, 0), ("k",))
    both = overlay(old, new)
    assert (list(both.uids), list(both.flags), list(both.modseqs)) == (
        [1, 2, 3],
        [SEEN, 0, 0],
        [8, 2, 3],
    )
    assert (list(both.keyword_bits), both.keywords) == ([0, 0, 1], ("k",))


@pytest.mark.parametrize("by", ["store", "fetch", "others"])
def test_what_was_told_of_a_message_that_is_gone_now_is_told_again(by: str) -> None:
    """RFC 7162 3.1: a MODSEQ never falls; while message 1 may not go, 2 is told of, and goes."""
    mailbox = folder(3)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    mailbox.remove([1])
    done = mailbox.store_flags([2], FlagsOp.ADD, Flag.SEEN, frozenset())
    if by == "fetch":
        selected.lately.seen([2], done.modseq)
    elif by == "store":
        news = selected.look()
        assert news is not None
        selected.lately.changed(news.picture, news.diff.flagged)
    else:
        assert selected.overlaid().modseqs[1] == done.modseq
    mailbox.remove([2])
    assert selected.look() is not None
    for _ in range(2):
        shown = selected.overlaid()
        assert (list(shown.uids), shown.flags[1], shown.modseqs[1]) == (
            [1, 2, 3],
            SEEN,
            done.modseq,
        )
    # Once the client has heard of it, nothing is kept.
    assert told(selected)[:2] == [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    assert selected.overlaid() is selected.picture


def test_large_news_come_in_pieces() -> None:
    mailbox = folder(3000)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    mailbox.store_flags(range(1, 1501), FlagsOp.ADD, Flag.SEEN, frozenset())
    mailbox.remove(range(2001, 3001))
    news = selected.look()
    assert isinstance(news, News)
    pieces = list(selected.tell(news))
    assert max(piece.count(b"\r\n") for piece in pieces) <= 500
    assert b"".join(pieces).count(b"EXPUNGE") == 1000


def test_what_came_bit_by_bit_is_recent_as_one() -> None:
    mailbox = folder(0)
    selected = Selected(mailbox, mailbox.refresh(), range(0), False, Enabled())
    for number in range(1, 51):
        mailbox.append([NewMessage((b"x",), 0.0)])
        assert told(selected)[-1] == b"* %d RECENT" % number
    assert selected.recent == [range(1, 51)], "or each answer would take longer than the last"
