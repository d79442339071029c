"""What every parser of foreign octets promises, whatever the octets are.

A target takes octets and fails (``AssertionError`` or any other exception) when a promise is
broken. ``SEEDS`` gives it something good to begin with.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from mailnode.access.imap.deflate import RAW, BadInput, InflatingReceiver
from mailnode.model.errors import StorageGone
from mailnode.model.rights import ALL_RIGHTS
from mailnode.store import acl, journal, seen_file
from mailnode.store.takeover import (
    parse_courier_list,
    parse_dovecot_subscriptions,
    parse_uid_list,
)
from mailnode.wire.imap import receiver, utf7
from mailnode.wire.imap.ast import Command
from mailnode.wire.imap.parse import parse_command
from mailnode.wire.imap.url import parse_url
from mailnode.wire.mime.decode import body_texts, header_text, preview
from mailnode.wire.mime.recode import recode_binary
from mailnode.wire.mime.sections import Text, extract
from mailnode.wire.mime.sortkeys import make_keys, read_keys
from mailnode.wire.mime.structure import crlf_size, parse, to_crlf
from mailnode.wire.mime.subject import base_subject
from mailnode.wire.mime.summary import KINDS, header_block, summarise
from mailnode.wire.pop3.command import Command as Pop3Command
from mailnode.wire.pop3.command import Malformed
from mailnode.wire.pop3.command import parse_command as parse_pop3
from mailnode.wire.proxy.header import Header, parse_header
from mailnode.wire.sasl import Challenge, open_dialog
from mailnode.wire.smtp.command import split_command
from mailnode.wire.smtp.parameters import parse_mail_parameters, parse_rcpt_parameters
from mailnode.wire.smtp.path import format_path, parse_forward_path, parse_reverse_path
from tests.fuzz.sessions import SEEDS, imap_session
from tests.wire.mime import grammar

Target = Callable[[bytes], None]
LIMITS = receiver.Limits(
    line=2000, literals=2000, literal_count=20, append=4000, stream_above=500, skip=4000
)
_SMTP_EXTENSIONS = frozenset({"SIZE", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS"})


def _events(pieces: Iterator[bytes]) -> list[receiver.Event]:
    """What came out, streamed literals joined."""
    return _heard(receiver.Receiver(LIMITS), pieces)


def _heard(heard: receiver.Receiver, pieces: Iterator[bytes]) -> list[receiver.Event]:
    found: list[receiver.Event] = []
    for piece in pieces:
        heard.feed(piece)
        while (event := heard.next()) is not None:
            if isinstance(event, receiver.Breath):
                continue
            last = found[-1] if found else None
            if isinstance(event, receiver.LiteralData) and isinstance(last, receiver.LiteralData):
                found[-1] = receiver.LiteralData(event.number, last.data + event.data)
            else:
                found.append(event)
    return found


def imap(raw: bytes) -> None:
    """Whole or octet by octet: the same events; every command is one or is malformed."""
    whole = _events(iter((raw,)))
    assert whole == _events(raw[at : at + 1] for at in range(len(raw)))
    for event in whole:
        if isinstance(event, receiver.RawCommand):
            for utf8 in (False, True):
                repr(parse_command(event, utf8=utf8))


def deflate(raw: bytes) -> None:
    """What was compressed is heard as it was said, whole or octet by octet; any other stream ends
    with ``BadInput`` at most, and no more is inflated than was asked for."""
    packer = zlib.compressobj(wbits=RAW)
    packed = packer.compress(raw) + packer.flush(zlib.Z_SYNC_FLUSH)
    plain = _events(iter((raw,)))
    assert plain == _inflated(iter((packed,)))
    assert plain == _inflated(packed[at : at + 1] for at in range(len(packed)))
    try:
        _inflated(iter((raw,)))
    except BadInput:
        pass


def _inflated(pieces: Iterator[bytes]) -> list[receiver.Event]:
    heard = InflatingReceiver(receiver.Receiver(LIMITS))
    return _heard(heard, pieces)


def imap_command(raw: bytes) -> None:
    """One line; two readings of it agree."""
    line = receiver.RawCommand((raw.replace(b"\r", b"").replace(b"\n", b""),))
    found = parse_command(line)
    assert found == parse_command(line)
    if isinstance(found, Command):
        assert found.tag.isascii()


def mime(raw: bytes) -> None:
    """Summaries are grammar, the tree lies within the message, texts are bounded."""
    kinds = summarise(raw)
    assert set(kinds) == set(KINDS)
    grammar.check_envelope(grammar.read(kinds["envelope"]))
    grammar.check_body(grammar.read(kinds["bodystructure"]), extended=True)
    grammar.check_body(grammar.read(kinds["body"]), extended=False)
    head = header_block(raw)
    assert head is None or head == kinds["headers"]
    message = to_crlf(raw)
    assert len(message) == crlf_size(raw)
    assert to_crlf(message) == message
    root = parse(message)
    assert 0 <= root.body_start <= len(message)
    assert sum(map(len, body_texts(message, root, 1000))) <= 200_000
    assert len(preview(message, root)) <= 200
    header_text(kinds["headers"])
    recode_binary(message)


def sections(raw: bytes) -> None:
    """Every part of every kind lies within the message; parts of parts as well."""
    message = to_crlf(raw)
    root = parse(message)
    for number in ((), (1,), (2,), (1, 1), (1, 2, 1)):
        for text in Text:
            found = extract(message, root, number, text)
            # A choice of fields gets the end of its last line, and the empty line.
            assert found is None or len(found) <= len(message) + 4


def sort_keys(raw: bytes) -> None:
    """What is kept for SORT reads as it was made, and a base subject has no other."""
    keys = read_keys(make_keys(raw))
    assert keys == read_keys(make_keys(raw))
    base, _ = base_subject(raw.decode("utf-8", "replace"))
    assert base_subject(base)[0] == base


def mailbox_name(raw: bytes) -> None:
    """What decodes encodes to the same octets again (RFC 3501 5.1.3)."""
    name = utf7.decode(raw)
    if name is not None:
        assert utf7.decode(utf7.encode(name)) == name


def url(raw: bytes) -> None:
    """An URL or none."""
    parse_url(raw.decode("utf-8", "replace"))


def smtp(raw: bytes) -> None:
    """A command or a reply; an address that was taken is read again as itself."""
    split_command(raw)
    split_command(raw + b"\r\n")
    for path in (parse_reverse_path(raw), parse_forward_path(raw)):
        if isinstance(path, tuple):
            again = parse_reverse_path(format_path(path[0]).encode())
            assert isinstance(again, tuple)
            assert again[0] == path[0]
    parse_mail_parameters(raw, _SMTP_EXTENSIONS)
    parse_rcpt_parameters(raw, _SMTP_EXTENSIONS)


def pop3(raw: bytes) -> None:
    """A command or malformed."""
    found = parse_pop3(raw)
    assert isinstance(found, Pop3Command | Malformed)
    if isinstance(found, Pop3Command):
        found.words()


def proxy(raw: bytes) -> None:
    """A header lies within what was given, and more octets do not change it."""
    found = parse_header(raw)
    if isinstance(found, Header):
        assert 0 < found.length <= len(raw)
        assert parse_header(raw + b"EHLO x\r\n") == found


def sasl(raw: bytes) -> None:
    """First octet: the mechanism; each line is a client's; it ends within its steps."""
    names = ("PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256")
    dialog = open_dialog(names[raw[0] % len(names)] if raw else "PLAIN", names)
    if dialog is None:
        return
    lines = raw[1:].split(b"\n")
    step = dialog.begin(lines[0] or None)
    for line in lines[1:]:
        if not isinstance(step, Challenge):
            break
        step = dialog.answer(line)


def journal_octets(raw: bytes) -> None:
    """Damaged or not: what is read is whole records in order, nothing else is raised."""
    try:
        journal.unpack_header(raw)
    except (journal.JournalDamaged, journal.OtherFormat):
        pass
    at = 0
    for span in journal.scan(raw):
        assert span.start >= at
        at = span.end


def acl_octets(raw: bytes) -> None:
    """Any file is a list, what is written of it reads the same, and nobody gets more by that."""
    try:
        entries = tuple(acl.parse(raw))
    except StorageGone:
        return
    text = "\n".join(map(acl.format_entry, entries)).encode("utf-8", "surrogateescape")
    assert tuple(acl.parse(text)) == entries
    assert set(acl.Acl(entries).rights(acl.Person("joe@example.test"))) <= set(ALL_RIGHTS)


def seen_octets(raw: bytes) -> None:
    """What one reader has seen: records in order, or nothing."""
    try:
        at = seen_file.header_end(raw, 7)
    except StorageGone:
        return
    for record, end in seen_file.records(raw, at):
        assert at < end <= len(raw)
        assert seen_file.pack_record(record) == raw[at:end]
        at = end


def foreign(raw: bytes) -> None:
    """What Dovecot and Courier left behind."""
    parse_uid_list(raw)
    parse_courier_list(raw)
    parse_dovecot_subscriptions(raw)


_LETTER = (
    b"From: =?utf-8?q?J=C3=B6?= <jo@example.test>, list: a@b, c@d;\r\n"
    b"Date: 1 Jan 2026 10:00 +0100\r\n"
    b'Subject: x\r\n y\r\nContent-Type: multipart/mixed; boundary="b"; '
    b"x*0*=utf-8''%41; x*1=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"0L8=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: x\r\n\r\nbody\r\n--b--\r\n"
)
TARGETS: dict[str, tuple[Target, tuple[bytes, ...]]] = {
    "imap": (
        imap,
        (
            b'a LOGIN {3}\r\njoe "x"\r\nb APPEND INBOX (\\Seen x) {5+}\r\nhello\r\nc NOOP\r\n',
            b"a UID FETCH 1:*,$ (FLAGS BODY.PEEK[1.HEADER.FIELDS (TO)]<0.9>) (CHANGEDSINCE 9)\r\n",
        ),
    ),
    "imap_command": (
        imap_command,
        (
            b'a SEARCH RETURN (MIN PARTIAL 1:5) CHARSET UTF-8 OR NOT (FROM x) UID 1:3,* BODY "y"',
            b'a LIST (SUBSCRIBED) "" (INBOX "%") RETURN (STATUS (MESSAGES) SPECIAL-USE)',
            b"a NOTIFY SET STATUS (PERSONAL (MessageNew (FLAGS) MessageExpunge)) (INBOXES NONE)",
            b"a STORE 1:2 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Seen a)",
            b'a SETMETADATA x (/private/comment "y" /shared/z NIL)',
            b'a SETACL "a b" -joe +lrc',
            b"a LISTRIGHTS INBOX @example.test",
        ),
    ),
    "imap_session": (imap_session, SEEDS),
    "deflate": (deflate, (b"a NOOP\r\nb APPEND INBOX {3+}\r\nabc\r\n", b"\x4b\x54\xf0")),
    "sections": (sections, (_LETTER,)),
    "sort_keys": (
        sort_keys,
        (_LETTER, b"Re: [x] Fwd: y (fwd)", b"Date: Thu, 1 Jan 2026 10:00 GMT"),
    ),
    "mime": (mime, (_LETTER, b"Subject: x\n\nbody\n", b"\r\n")),
    "mailbox_name": (mailbox_name, (b"Gr&APYA3w-e", b"a&-b", b"&Jjo-!")),
    "url": (url, (b"imap://u;AUTH=*@h:1/INBOX;UIDVALIDITY=1/;UID=2/;SECTION=1.TEXT",)),
    "smtp": (
        smtp,
        (b"<@a,@b:x@y.test> SIZE=9 BODY=8BITMIME", b'<"a b"@[IPv6:::1]> NOTIFY=NEVER ORCPT=x;y'),
    ),
    "pop3": (pop3, (b"TOP 1 2", b"APOP x y", b"USER \xc3\xb6")),
    "proxy": (
        proxy,
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\1\xc0\0\x02\2\0\1\0\2",
        ),
    ),
    "sasl": (
        sasl,
        (b"\0AHgAeQ==", b"\1\neA==\neQ==", b"\5biwsbj11c2VyLHI9bm9uY2U=\nYz1iaXdzLHI9bixwPXg="),
    ),
    "journal": (journal_octets, (b"", b"MNJ" + bytes(64))),
    "acl": (
        acl_octets,
        (
            b"# mailnode acl 1\nuser=joe@example.test lr\n-anyone w :purge\ngroup=example.test l\n",
            b'"user=a \\" b" lrwstipekxa\nowner\n',
            b"----x lr\n-----\n--user=joe@example.test w\n",
        ),
    ),
    "seen": (
        seen_octets,
        (
            seen_file.pack_header(7, "joe")
            + seen_file.pack_record(seen_file.Record(5, True, ((1, 3), (7, 7)))),
        ),
    ),
    "foreign": (
        foreign,
        (b"3 V1795644665 N4 Gabcdef\n1 :a,S=3\n3 W5 :b\n", b"1 a b\na\n", b"V\t2\n\nINBOX\na\tb\n"),
    ),
}
