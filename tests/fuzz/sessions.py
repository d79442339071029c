"""A whole IMAP session on octets by chance: whatever a client says once it has logged in and
selected a mailbox, the answers are grammar and no command meets a fault of ours."""

from __future__ import annotations

import asyncio
from typing import Any

from mailnode.access.admission import Census
from mailnode.access.imap.connection import Connection
from mailnode.access.imap.means import Means
from mailnode.access.imap.spaces import spaces
from mailnode.directory import LoginFailure, Mailbox
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import Pool
from mailnode.store import AccountRef, NewMessage
from mailnode.store.sharing import SharingStore
from mailnode.wire.mime.sortkeys import make_keys
from mailnode.wire.mime.structure import to_crlf
from mailnode.wire.mime.summary import summarise
from tests.stress.talk import responses
from tests.support.fake_store import FakeStore
from tests.support.password_gate import PasswordGate

SETTINGS = ImapSettings(plaintext_login=True, max_bad_commands=1000)
# Kinds whose whole line is values.
VALUES = ("FETCH", "UIDFETCH", "STATUS", "LIST", "LSUB", "ESEARCH", "SORT", "SEARCH", "QUOTA")
WITHIN_S = 8.0
MESSAGES = (
    b"From: a@example.test\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n",
    b'Subject: Re: one\r\nIn-Reply-To: <1@x>\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nTo: x\r\n\r\nbody\r\n--b--\r\n",
    b"Subject: =?utf-8?q?J=C3=B6?=\r\n\r\n\xff\x00\xfe\r\n",
)

_SAID = r"""
a FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[1.MIME] BINARY[1] PREVIEW)
b FETCH 1:3 (BODY[HEADER.FIELDS (SUBJECT)] EMAILID SAVEDATE RFC822.TEXT)

a UID STORE 1:2 +FLAGS.SILENT (\Seen x)
b UID COPY 1,3 Sent
c UID MOVE 2 Drafts
d STORE 1 (UNCHANGEDSINCE 1) FLAGS (\Deleted)
e EXPUNGE
f UID EXPUNGE 1
g CLOSE

a APPEND INBOX (\Seen) {5+}
hello
b UID REPLACE 1 INBOX {3+}
abc
c APPEND INBOX CATENATE (URL /INBOX/;UID=1 TEXT {2+}
ab)

a ENABLE CONDSTORE QRESYNC IMAP4rev2 UTF8=ACCEPT UIDONLY
b SELECT INBOX (QRESYNC (1 2 1:3 (1,2 1,2)))
c UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED PARTIAL -1:-2)

a UID SEARCH RETURN (MIN MAX ALL COUNT SAVE UPDATE PARTIAL 1:2) OR NOT BODY x $
b UID SORT RETURN (ALL) (REVERSE DATE SUBJECT) UTF-8 FUZZY TEXT one
c THREAD REFERENCES UTF-8 ALL
d UID THREAD REFS UTF-8 LARGER 3
e ESEARCH IN (mailboxes INBOX subtree Sent) RETURN (COUNT) UNSEEN
f SEARCH CHARSET KOI8-R SINCE 1-Jan-2020 YOUNGER 5 HEADER X "y" KEYWORD x MODSEQ 5

a NOTIFY SET STATUS (SELECTED (MessageNew (FLAGS UID) MessageExpunge FlagChange)) (SUBTREE a NONE)
b IDLE
DONE
c NOTIFY NONE

a LIST (SUBSCRIBED RECURSIVEMATCH) "" ("*" %) RETURN (CHILDREN STATUS (MESSAGES SIZE))
b CREATE a/b (USE (\Archive))
c RENAME a b
d SUBSCRIBE b/b
e DELETE b/b
f STATUS INBOX (MESSAGES HIGHESTMODSEQ MAILBOXID)
g LSUB "" *
h NAMESPACE

a SETMETADATA INBOX (/private/comment "x")
b GETMETADATA (DEPTH infinity) "" /private
c GETACL INBOX
d SETACL INBOX joe +lr
e MYRIGHTS INBOX
f GETQUOTAROOT INBOX
g GENURLAUTH "imap://user1@h/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL
h UIDBATCHES 500
i CANCELUPDATE "a"
j RESETKEY
k ID NIL
l UNAUTHENTICATE
"""
SEEDS = tuple((part.strip() + "\n").replace("\n", "\r\n").encode() for part in _SAID.split("\n\n"))


class _Gate(PasswordGate):
    async def login(self, user: str, password: str, *args: Any, **more: Any) -> Any:
        if password != "secret":
            return LoginFailure.PASSWORD
        return Mailbox(user, f"example.test/{user}", 0, "example.test")


class _Hints:
    def subscribe(self, key: str, heard: Any) -> Any:
        return lambda: None

    def publish(self, key: str, modseq: int) -> None:
        return None


class _Wire:
    def __init__(self) -> None:
        self.sent = bytearray()
        self.ended = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def flush(self) -> None: ...

    def start_tls(self) -> None: ...

    def tunnel(self) -> Any:
        return None

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def relax(self) -> None: ...

    def close(self) -> None:
        self.ended = True

    abort = close


def _summary(data: bytes, kind: str) -> bytes:
    # As the real store keeps them; it summarises messages to which it has added line ends.
    kinds = summarise(to_crlf(data))
    return make_keys(kinds["headers"]) if kind == "sortkeys" else kinds[kind]


def imap_session(raw: bytes) -> None:
    """The answers to ``raw`` are grammar, none is a fault, and all comes to an end."""
    asyncio.run(_play(raw))


async def _play(raw: bytes) -> None:
    pool, wire, log = Pool(1, "fuzz"), _Wire(), ListLog()
    plain = FakeStore(summary=_summary)
    store = SharingStore(plain, spaces(SETTINGS), lambda ref: ref)
    inbox = plain.account(AccountRef("user1", "example.test/user1")).open("INBOX")
    inbox.append([NewMessage((one,), 1_700_000_000.0) for one in MESSAGES])
    census, clock, ended = Census(5), SystemClock(), list[Connection]()
    means = Means(SETTINGS, _Gate(), store, pool, _Hints(), clock, log, census=census)
    link = Connection(means, wire, "192.0.2.1", False, ended.append)
    link.opened()
    try:
        async with asyncio.timeout(WITHIN_S):
            for part in (b"l LOGIN user1 secret\r\ns SELECT INBOX\r\n", raw, b"\r\nzz NOOP\r\n"):
                link.received(part)
                while link._task is not None and not wire.ended:
                    await asyncio.sleep(0)
            compressed = link.compressed
            link.gone()
            while not ended:
                await asyncio.sleep(0)
    finally:
        inbox.close()
        pool.close()
    faults = [one for one in log.events if one[0] is Event.ERROR]
    assert not faults, faults
    if not compressed and b"COMPRESS" not in raw.upper():
        judge(bytes(wire.sent))


def judge(sent: bytes) -> None:
    """Every response can be read."""
    for one in responses(sent):
        assert "SERVERBUG" not in one.code, one
        if one.tag == "*" and one.kind in VALUES:
            one.values()
