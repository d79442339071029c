"""RFC 8508: REPLACE."""

from dataclasses import replace as changed

import pytest

from mailnode.access.imap.commands.replacing import replace
from mailnode.model.errors import OverQuota
from mailnode.store import AccountRef, NewMessage
from mailnode.store.acl import Entry
from mailnode.store.shared import Spaces
from mailnode.store.sharing import SharingStore
from tests.support.fake_store import FakeStore
from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


@pytest.fixture
def three(imap: ImapServer) -> ImapServer:
    imap.deliver(message(1), message(2), message(3))
    return imap


def test_s3_2_replace_in_the_same_mailbox(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a STORE 1:2 +FLAGS.SILENT (\Deleted \Flagged)
        S: a OK
        C+ b REPLACE 2 INBOX (\\Seen) {16+}\r\nSubject: new\r\n\r\n\r\n
        S~ \* OK \[APPENDUID \d+ 4\]
        S: * 2 EXPUNGE
        S: * 3 EXISTS
        S: * 3 RECENT
        S: b OK
        C: c FETCH 1:* (UID FLAGS)
        S: * 1 FETCH (UID 1 FLAGS (\Flagged \Deleted \Recent))
        S: * 2 FETCH (UID 3 FLAGS (\Recent))
        S: * 3 FETCH (UID 4 FLAGS (\Seen \Recent))
        S: c OK
        """
    )


def test_s3_3_uid_replace_into_another_mailbox(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: z ENABLE QRESYNC
        ...
        S: z OK
        C+ b UID REPLACE 2 Sent (\\Seen $Done) "24-Nov-2026 10:00:00 +0000" {16}\r\n
        S: +
        C+ Subject: new\r\n\r\n\r\n
        S~ \* OK \[APPENDUID \d+ 1\]
        S: * VANISHED 2
        ...
        S: b OK [HIGHESTMODSEQ
        C: c SELECT Sent
        ...
        S: c OK
        C: d FETCH 1 (FLAGS INTERNALDATE)
        S: * 1 FETCH (FLAGS (\Seen \Recent $Done) INTERNALDATE "24-Nov-2026 10:00:00 +0000")
        S: d OK
        """
    )


def test_s3_4_nothing_is_lost_when_it_fails(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C+ a REPLACE 1 Nowhere {16+}\r\nSubject: new\r\n\r\n\r\n
        S: a NO [TRYCREATE]
        C+ b REPLACE 9 INBOX {16+}\r\nSubject: new\r\n\r\n\r\n
        S: b BAD
        C+ c UID REPLACE 9 INBOX {16+}\r\nSubject: new\r\n\r\n\r\n
        S: c NO [EXPUNGEISSUED]
        C: d REPLACE 1:2 INBOX {3+}
        C: abc
        S: d BAD
        C+ e REPLACE 1 INBOX {3+}\r\nabc {3+}\r\ndef\r\n
        S: e BAD
        C: f FETCH 1:* UID
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: f OK
        C: g EXAMINE INBOX
        ...
        S: g OK
        C+ h REPLACE 1 INBOX {16+}\r\nSubject: new\r\n\r\n\r\n
        S: h NO
        """
    )


def test_s3_4_what_another_session_expunged(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT \Deleted
        ...2:
        S2: b OK
        C2: c EXPUNGE
        ...2:
        S2: c OK
        C+ d REPLACE 1 Sent {16+}\r\nSubject: new\r\n\r\n\r\n
        ...
        S: d NO [EXPUNGEISSUED]
        C: e STATUS Sent (MESSAGES)
        ...
        S: * STATUS "Sent" (MESSAGES 0)
        """
    )


def test_s3_4_only_net_quota_counts(imap: ImapServer) -> None:
    imap.gate.quota_bytes = 100
    imap.deliver(b"Subject: old\r\n\r\n" + b"x" * 70)
    imap.play(
        SELECT
        + r"""
        C+ a APPEND INBOX {16+}\r\nSubject: new\r\n\r\n\r\n
        S: a NO [OVERQUOTA]
        C: b REPLACE 1 INBOX {99}
        S: +
        """
        + "C+ Subject: new\\r\\n\\r\\n"
        + "y" * 83
        + r"""\r\n
        S: * OK [APPENDUID
        ...
        S: b OK
        C: c REPLACE 1 INBOX {101}
        S: +
        """
        + "C+ Subject: new\\r\\n\\r\\n"
        + "y" * 85
        + r"""\r\n
        S: c NO [OVERQUOTA]
        C: d FETCH 1 RFC822.SIZE
        S: * 1 FETCH (RFC822.SIZE 99)
        S: d OK
        """
    )


def test_s3_5_selected_state_only(imap: ImapServer) -> None:
    imap.play("C+ a REPLACE 1 INBOX {3+}\\r\\nabc\\r\\n\nS: a BAD")


def test_large_messages_go_through_a_file(three: ImapServer) -> None:
    body = b"Subject: large\r\n\r\n" + b"x" * 400_000
    dialog = three.play(SELECT)
    dialog.client().send(b"a REPLACE * INBOX {%d+}\r\n%b\r\n" % (len(body), body))
    dialog.play("S: * OK [APPENDUID\n...\nS: a OK\nC: b FETCH 3 RFC822.SIZE")
    dialog.play(f"S: * 3 FETCH (RFC822.SIZE {len(body)})")


def test_s3_4_room_is_freed_in_the_account_that_is_left_only() -> None:
    ann = AccountRef("ann@example.test", "example.test/ann")
    bob = AccountRef("bob@example.test", "example.test/bob")
    store = FakeStore()
    store.account(ann).change_acl("INBOX", lambda acl: acl.replaced(Entry(bob.user, "lrswite")))
    find = lambda ref: changed(ref, quota_bytes=100)  # noqa: E731 - the owner's limit
    account = SharingStore(store, Spaces(), find).account(bob)
    source = account.open("INBOX")
    (uid,) = source.append([NewMessage((b"x" * 1000,), 1.7e9)])
    new, box = NewMessage((b"y" * 101,), 1.7e9), f"Other Users/{ann.user}/INBOX"
    with pytest.raises(OverQuota):
        replace(account, source, uid, box, new)
    assert list(source.refresh().uids) == [uid]
    assert account.quota_of(ann.user).used_bytes == 0
    # Within one account, by whatever name.
    theirs = account.open(box)
    (old,) = theirs.append([NewMessage((b"x" * 90,), 1.7e9)])
    with pytest.raises(OverQuota):
        theirs.append([NewMessage((b"y" * 99,), 1.7e9)])
    replace(account, theirs, old, box, NewMessage((b"y" * 99,), 1.7e9))
    assert account.quota_of(ann.user).used_bytes == 99
    source.close()
    theirs.close()
