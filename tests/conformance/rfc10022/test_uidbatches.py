"""RFC 10022: UIDBATCHES."""

from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailnode.access.imap.commands.uid_batches import batches
from mailnode.wire.imap.uid_batches import UidBatches
from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_s3_1_a_small_mailbox_is_one_batch(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + """
        C: a UIDBATCHES 500
        S~ \\* UIDBATCHES \\(TAG "a"\\) 5:1$
        S: a OK
        C: b UIDBATCHES 500 1:1
        S~ \\* UIDBATCHES \\(TAG "b"\\) 5:1$
        S: b OK
        C: c UIDBATCHES 500 2:9
        S~ \\* UIDBATCHES \\(TAG "c"\\)$
        S: c OK
        """
    )


def test_an_empty_mailbox_has_none(imap: ImapServer) -> None:
    imap.play(SELECT + 'C: a UIDBATCHES 2000\nS~ \\* UIDBATCHES \\(TAG "a"\\)$\nS: a OK')


def test_s3_1_refused(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        "C: x UIDBATCHES 500\nS: x BAD\n"
        + SELECT
        + """
        C: a UIDBATCHES 499
        S: a NO [TOOFEW]
        C: b UIDBATCHES 500 20:10
        S: b BAD [CLIENTBUG]
        C: c UIDBATCHES 500 1:201
        S: c NO [TOOMANY]
        C: d UIDBATCHES 500 1:200
        S: * UIDBATCHES (TAG "d") 1:1
        S: d OK
        C: e UIDBATCHES
        S: e BAD
        C: f UIDBATCHES x
        S: f BAD
        C: g UIDBATCHES 0
        S: g BAD
        C: h UIDBATCHES 500 10
        S: h BAD
        C: i UIDBATCHES 500 0:1
        S: i BAD
        C: j UIDBATCHES 500 1:2 3
        S: j BAD
        C: k UID UIDBATCHES 500
        S: k BAD
        """
    )


def test_with_uidonly_and_without_touching_the_saved_result(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + """
        C: a UID SEARCH RETURN (SAVE) 2
        S: a OK
        C: b UIDBATCHES 500
        S: * UIDBATCHES (TAG "b") 2:1
        S: b OK
        C: c UID SEARCH RETURN (ALL) $
        S~ .* ALL 2$
        S: c OK
        C: d ENABLE UIDONLY
        ...
        S: d OK
        C: e UIDBATCHES 500
        S: * UIDBATCHES (TAG "e") 2:1
        S: e OK
        """
    )


def test_s3_1_messages_that_are_gone(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 5)))
    imap.play(
        SELECT
        + """
        C: a STORE 1,4 +FLAGS.SILENT (\\Deleted)
        S: a OK
        C: b EXPUNGE
        ...
        S: b OK
        C: c UIDBATCHES 500
        S: * UIDBATCHES (TAG "c") 3:1
        S: c OK
        """
    )


@given(
    st.sets(st.integers(1, 400), max_size=60),
    st.integers(1, 9),
    st.tuples(st.integers(1, 9), st.integers(0, 9)) | st.none(),
)
def test_ranges_tile_the_uids(uids: set[int], size: int, some: tuple[int, int] | None) -> None:
    kept = array("I", sorted(uids))
    found = batches(kept, UidBatches(size))
    assert len(found) == -(-len(uids) // size)
    if not uids:
        return
    assert (found[0][0], found[-1][1]) == (max(uids), 1)
    for (_, low), (high, _) in pairwise(found):
        assert high == low - 1
    held = [sum(low <= uid <= high for uid in uids) for high, low in found]
    assert held == [size] * (len(held) - 1) + [len(uids) - size * (len(held) - 1)]
    if some is not None:
        first, more = some
        only = batches(kept, UidBatches(size, (first, first + more)))
        assert only == found[first - 1 : first + more]
