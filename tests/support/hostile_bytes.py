"""What a hostile or broken client might send: seeded, so that a failure comes again.

Every item is a list of pieces, each sent by itself, so that the server meets all kinds of cuts.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

from tests.support.peopled_server import PASSWORD

USER = "user1@example.test"
_PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
_HELLO = b"EHLO x.test\r\n"
_TO = b"MAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<user1@example.test>\r\n"
_MAIL = b"Subject: x\r\n\r\nbody\r\n.\r\n"
_LOGIN = f'a LOGIN "{USER}" "{PASSWORD}"\r\n'.encode()
_POP = f"USER {USER}\r\nPASS {PASSWORD}\r\n".encode()

# Good dialogs, to be spoiled.
_DIALOGS: dict[str, list[bytes]] = {
    "smtp": [
        _HELLO + _TO + b"DATA\r\n" + _MAIL + b"QUIT\r\n",
        _HELLO + _TO + b"BDAT 20 LAST\r\nSubject: x\r\n\r\nbody\r\n\r\nBDAT 3\r\nabcRSET\r\n",
        b"HELO x\r\nVRFY a\r\nEXPN b\r\nHELP\r\nNOOP x\r\nRSET\r\n" + _TO + b"DATA\r\n.\r\n",
        _HELLO + b"MAIL FROM:<a@b.c> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x\r\nRCPT TO:"
        b"<user1@example.test> NOTIFY=SUCCESS ORCPT=rfc822;a@b\r\nDATA\r\n" + _MAIL,
    ],
    "submission": [
        _HELLO + b"AUTH PLAIN " + _PLAIN + b"\r\n" + _TO + b"DATA\r\n" + _MAIL,
        _HELLO + b"AUTH LOGIN\r\ndXNlcg==\r\ncGFzcw==\r\nAUTH PLAIN\r\n*\r\nQUIT\r\n",
        _HELLO + _TO + b"AUTH PLAIN =\r\n",
    ],
    "lmtp": [
        b"LHLO x\r\n" + _TO + b"RCPT TO:<user2@example.test>\r\nDATA\r\n" + _MAIL,
        b"LHLO x\r\n" + _TO + b"BDAT 12 LAST\r\nA: b\r\n\r\nbody\r\nQUIT\r\n",
    ],
    "imap": [
        _LOGIN + b'b SELECT INBOX\r\n'
        b'c FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY[1.MIME]<0.9>)\r\n'
        b"d UID SEARCH RETURN (MIN MAX) OR SUBJECT {3+}\r\nabc NOT FROM x\r\ne LOGOUT\r\n",
        _LOGIN + b'b SELECT "INBOX" (CONDSTORE)\r\nc STORE 1 +FLAGS (\\Seen $x)\r\n'
        b"d IDLE\r\nDONE\r\n"
        b"e COPY 1:3 Archive\r\nf UID MOVE 1 Trash\r\ng EXPUNGE\r\nh CLOSE\r\n",
        _LOGIN + b"b APPEND INBOX (\\Seen) {21+}\r\nSubject: x\r\n\r\nbody\r\n\r\n\r\n"
        b'c LIST (SUBSCRIBED) "" ("*" "%") RETURN (STATUS (MESSAGES SIZE))\r\n'
        b'd STATUS INBOX (UIDNEXT)\r\ne CREATE "a/b&AOQ-"\r\nf DELETE a/b\r\ng RENAME x y\r\n',
        b"a CAPABILITY\r\nb NOOP\r\nc AUTHENTICATE PLAIN " + _PLAIN + b"\r\nd ID NIL\r\n"
        b"e ENABLE CONDSTORE\r\nf NAMESPACE\r\ng UNSELECT\r\nh SUBSCRIBE a\r\n",
    ],
    "pop3": [
        _POP + b"STAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 5\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n",
        b"CAPA\r\nUTF8\r\nAUTH PLAIN " + _PLAIN + b"\r\nLIST 999999999999\r\nTOP 1 -1\r\nXYZ\r\n",
        b"AUTH LOGIN\r\n*\r\nAPOP a b\r\nSTAT\r\nUSER\r\nPASS\r\n",
    ],
}  # fmt: skip
_DIALOGS |= {"submissions": _DIALOGS["submission"], "imaps": _DIALOGS["imap"]}
_DIALOGS |= {"pop3s": _DIALOGS["pop3"]}

_SPICE = [
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n.\r\n", b"\n.\n", b"\xff\xfe", b"\x80" * 40, b"(" * 300,
    b"{999999999999}\r\n", b"{999999999999+}\r\n", b"{-1}\r\n", b"{0}\r\n", b"{5+}\r\n", b'"',
    b"\\", b"<" * 60, b"%s%n%x", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"=" * 90,
    b"A" * 9000, b"1:" + b"9" * 40, b"1:4294967296", b"*:*,1," * 200, b"BODY[" + b"1." * 400,
    b"~{4}\r\n",
    b"STARTTLS\r\nNOOP\r\n", b"s STARTTLS\r\nt NOOP\r\n", b"STLS\r\nNOOP\r\n", b"\xe2\x80\xae",
    b"BDAT 99999999999\r\n", b"BDAT 18446744073709551616 LAST\r\n", b"AUTHENTICATE X\r\n", b"*\r\n",
    b"z SEARCH " + b"OR " * 500, b"z SEARCH " + b"NOT " * 2000 + b"ALL\r\n", b"CHARSET UTF-7 ",
]  # fmt: skip


class Hostility:
    """Makes items for a service. The same seed, the same items."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._kinds: list[Callable[[str], bytes]] = [
            self._noise, self._spoiled, self._spoiled, self._spoiled, self._spliced, self._flood,
            self._long_line, self._handshake,
        ]  # fmt: skip

    def item(self, service: str) -> list[bytes]:
        """The next thing to send."""
        return self._cut(self._chance.choice(self._kinds)(service))

    def _noise(self, service: str) -> bytes:
        return self._chance.randbytes(self._chance.randrange(1, 5000))

    def _dialog(self, service: str) -> bytes:
        return self._chance.choice(_DIALOGS[service])

    def _spoiled(self, service: str) -> bytes:
        data = bytearray(self._dialog(service))
        for _ in range(self._chance.randrange(1, 12)):
            at = self._chance.randrange(len(data))
            kind = self._chance.randrange(5)
            if kind == 0:
                data[at] ^= 1 << self._chance.randrange(8)
            elif kind == 1:
                del data[at : at + self._chance.randrange(1, 9)]
            elif kind == 2:
                data[at:at] = self._chance.choice(_SPICE)
            elif kind == 3:
                data[at:at] = data[at : at + 40]
            else:
                data[at] = self._chance.randrange(256)
            if not data:
                break
        return bytes(data)

    def _spliced(self, service: str) -> bytes:
        # Also another protocol's dialog: HTTP proxies and browsers do such things.
        other = self._dialog(self._chance.choice(list(_DIALOGS)))
        mine = self._dialog(service)
        cut = self._chance.randrange(len(mine))
        return mine[:cut] + self._chance.choice(_SPICE) + other + mine[cut:]

    def _flood(self, service: str) -> bytes:
        lines = self._dialog(service).splitlines(keepends=True)
        return b"".join(self._chance.choices(lines, k=400))

    def _long_line(self, service: str) -> bytes:
        start = self._dialog(service)[: self._chance.randrange(80)]
        return start + self._chance.choice([b"x", b"\0", b"\xc3\xa4", b"("]) * 500_000

    def _handshake(self, service: str) -> bytes:
        hello = b"\x16\x03\x01" + self._chance.randbytes(2) + b"\x01\x00"
        return hello + self._chance.randbytes(self._chance.randrange(600))

    def _cut(self, data: bytes) -> list[bytes]:
        if len(data) < 2 or self._chance.random() < 0.5:
            return [data]
        cuts = sorted(
            self._chance.randrange(len(data)) for _ in range(self._chance.randrange(1, 6))
        )
        ends = [*cuts, len(data)]
        return [data[a:b] for a, b in zip([0, *cuts], ends, strict=True) if a < b]
