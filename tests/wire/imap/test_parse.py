"""Commands: what is legal, what is only common, what is hostile."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.wire.imap.ast import (
    AgeKey,
    AllKey,
    AndKey,
    Append,
    AppendMessage,
    Args,
    Authenticate,
    Binary,
    Command,
    CopyTo,
    Create,
    DateField,
    DateKey,
    DateOp,
    Enable,
    Fact,
    Fault,
    Fetch,
    FlagKey,
    HeaderKey,
    Id,
    KeywordKey,
    List,
    Literal,
    Login,
    Malformed,
    ModSeqKey,
    NoArgs,
    NotKey,
    ObjectIdKey,
    OneMailbox,
    OrKey,
    Preview,
    QResync,
    Recency,
    RecentKey,
    Rename,
    Search,
    SearchReturn,
    Section,
    SectionKind,
    Select,
    SeqKey,
    SizeKey,
    Status,
    StoreFlags,
    StoreOp,
    TextKey,
    UidExpunge,
    UidKey,
)
from mailnode.wire.imap.parse import COMMANDS, UID_COMMANDS, Bounds, parse_command
from mailnode.wire.imap.parse.fetch import _kept
from mailnode.wire.imap.receiver import Limits, NeedContinuation, RawCommand, Receiver
from mailnode.wire.imap.sets import STAR, SequenceSet


def parse(raw: bytes, *, utf8: bool = False, bounds: Bounds | None = None) -> Command | Malformed:
    receiver = Receiver(Limits(line=10**6))
    receiver.feed(raw + b"\r\n")
    event = receiver.next()
    while isinstance(event, NeedContinuation):
        event = receiver.next()
    assert isinstance(event, RawCommand), event
    return parse_command(event, utf8=utf8, bounds=bounds or Bounds())


def args(raw: bytes, *, utf8: bool = False) -> Args:
    command = parse(b"t " + raw, utf8=utf8)
    assert isinstance(command, Command), command
    assert command.tag == "t"
    return command.args


def one(number: int, last: int | None = None) -> SequenceSet:
    return SequenceSet(((number, number if last is None else last),))


@pytest.mark.parametrize("name", [n for n, p in COMMANDS.items() if p.__name__ == "parse_nothing"])
def test_commands_without_arguments(name: str) -> None:
    assert parse(b"a.1 " + name.lower().encode() + b" ") == Command("a.1", name, NoArgs())
    assert isinstance(parse(b"a.1 " + name.encode() + b" x"), Malformed)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"LOGIN joe pass", Login("joe", b"pass")),
        (b'LOGIN "a\\"b" "p\\\\w"', Login('a"b', b"p\\w")),
        (b"LOGIN {3+}\r\njoe {4+}\r\na b\xe9", Login("joe", b"a b\xe9")),
        (b"login joe]x p%w", None),
        (b"LOGIN joe", None),
        (b'LOGIN joe "a', None),
        (b'LOGIN joe ""', Login("joe", b"")),
        (b"AUTHENTICATE PLAIN", Authenticate("PLAIN")),
        (b"AUTHENTICATE plain AGEAYg==", Authenticate("PLAIN", b"AGEAYg==")),
        (b"AUTHENTICATE EXTERNAL =", Authenticate("EXTERNAL", b"=")),
        (b"AUTHENTICATE PLAIN ?", None),
        (b"ENABLE CONDSTORE Utf8=accept", Enable(("CONDSTORE", "UTF8=ACCEPT"))),
        (b"ENABLE", None),
        (b"ID NIL", Id(None)),
        (b"ID nil", Id(None)),
        (b'ID ("Name" "x" "os" NIL)', Id((("name", "x"), ("os", None)))),
        (b"ID ()", Id(())),
        (b'ID ("a")', None),
        (b"ID (" + b" ".join([b'"a" "b"'] * 31) + b")", None),
        (b"UNKNOWN", None),
        (b"UID LOGIN a b", None),
        (b"UID", None),
    ],
)
def test_session_commands(raw: bytes, want: Args | None) -> None:
    check(raw, want)


def check(raw: bytes, want: Args | None) -> None:
    got = parse(b"t " + raw)
    if want is None:
        assert isinstance(got, Malformed), got
        assert got.tag == "t"
    else:
        assert isinstance(got, Command), got
        assert got.args == want


STATUS = ("MESSAGES", "UIDNEXT", "SIZE")


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"SELECT inBox", Select("INBOX", asked="inBox")),
        (b"SELECT inbox/sub", Select("INBOX/sub", asked="inbox/sub")),
        (b'EXAMINE "a b" (CONDSTORE)', Select("a b", condstore=True)),
        (b"SELECT x (QRESYNC (7 9))", Select("x", qresync=QResync(7, 9))),
        (
            b"SELECT x (QRESYNC (7 9 1:5 (1,2 8,9)) CONDSTORE)",
            Select(
                "x",
                True,
                QResync(
                    7, 9, one(1, 5), SequenceSet(((1, 1), (2, 2))), SequenceSet(((8, 8), (9, 9)))
                ),
            ),
        ),
        (b"SELECT x (FOO)", None),
        (b"SELECT", None),
        (b"SELECT Entw&APw-rfe", Select("Entw\xfcrfe")),
        (b"SELECT A&B", Select("A&B")),
        (b"SELECT A&-B", Select("A&B")),
        (b'SELECT "Entw\xc3\xbcrfe"', Select("Entw\xfcrfe")),
        (b'SELECT "\xff"', None),
        (b"SELECT {3+}\r\na\0b", None),
        (b"CREATE a/b/", Create("a/b")),
        (b"CREATE x (USE (\\sent \\Trash))", Create("x", ("\\Sent", "\\Trash"))),
        (b"DELETE x", OneMailbox("x")),
        (b"SUBSCRIBE {1+}\r\nx", OneMailbox("x")),
        (b"UNSUBSCRIBE x y", None),
        (b"RENAME a b/", Rename("a", "b")),
        (b"RENAME  a b", None),
        (b'LIST "" *', List("", ("*",))),
        (b'LIST "" ""', List("", ("",))),
        (b"LIST INBOX/ %.x]", List("INBOX/", ("%.x]",))),
        (b'LIST "" (INBOX "a%")', List("", ("INBOX", "a%"), extended=True)),
        (
            b'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN SPECIAL-USE)',
            List(
                "",
                ("%",),
                frozenset(("SUBSCRIBED", "RECURSIVEMATCH")),
                frozenset(("CHILDREN", "SPECIAL-USE")),
                extended=True,
            ),
        ),
        (
            b'list () "" % return (status (messages uidnext size messages))',
            List("", ("%",), status=STATUS, extended=True),
        ),
        (b'LIST (RECURSIVEMATCH) "" %', None),
        (b'LIST (FOO) "" %', None),
        (b'LIST "" % RETURN (FOO)', None),
        (b'LIST "" % FOO ()', None),
        (b'LSUB "" "Entw&APw-%"', List("", ("Entw\xfc%",))),
        (b"STATUS x (messages UIDNEXT size)", Status("x", STATUS)),
        (b"STATUS x ()", None),
        (b"STATUS x (FOO)", None),
        (b"STATUS x MESSAGES", None),
    ],
)
def test_mailbox_commands(raw: bytes, want: Args | None) -> None:
    check(raw, want)


def test_names_are_utf8_once_enabled() -> None:
    assert args('SELECT "\xfc&-"'.encode(), utf8=True) == Select("\xfc&-")


AT = 837596665.0  # 17-Jul-1996 02:44:25 -0700


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (
            b"APPEND x {2+}\r\nhi",
            Append("x", (AppendMessage(Literal(2, b"hi", 0)),)),
        ),
        (
            b'APPEND x (\\Seen $Mdn) "17-Jul-1996 02:44:25 -0700" {2+}\r\nhi',
            Append("x", (AppendMessage(Literal(2, b"hi"), Flag.SEEN, frozenset({"$Mdn"}), AT),)),
        ),
        (
            b"APPEND x {1+}\r\na (\\draft) {1+}\r\nb",
            Append(
                "x",
                (
                    AppendMessage(Literal(1, b"a", 0)),
                    AppendMessage(Literal(1, b"b", 1), Flag.DRAFT),
                ),
            ),
        ),
        (
            b'APPEND x " 1-jan-1970 00:00:00 +0000" UTF8 (~{1+}\r\n\0)',
            Append("x", (AppendMessage(Literal(1, b"\0", 0, True), internal_date=0.0, utf8=True),)),
        ),
        (b"APPEND x hello", None),
        (b"APPEND x", None),
        (b'APPEND x "31-Feb-1996 02:44:25 -0700" {1+}\r\na', None),
        (b'APPEND x "31-Foo-1996 02:44:25 -0700" {1+}\r\na', None),
        (b'APPEND x "1-Jan-0001 00:00:00 +9900" {1+}\r\na', None),
        (b"APPEND x (\\Foo) {1+}\r\na", None),
    ],
)
def test_append(raw: bytes, want: Args | None) -> None:
    check(raw, want)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (
            b"STORE 1 +FLAGS (\\Seen foo)",
            StoreFlags(one(1), StoreOp.ADD, False, Flag.SEEN, frozenset({"foo"})),
        ),
        (
            b"UID STORE 1:* -flags.silent \\deleted \\Recent",
            StoreFlags(one(1, STAR), StoreOp.REMOVE, True, Flag.DELETED, frozenset()),
        ),
        (
            b"STORE $ (UNCHANGEDSINCE 12) FLAGS ()",
            StoreFlags(SequenceSet((), True), StoreOp.REPLACE, False, NO_FLAGS, frozenset(), 12),
        ),
        (b"STORE 1 FLAGS", None),
        (b"STORE 1 FLAGS \\Foo", None),
        (b"STORE 1 *FLAGS (a)", None),
        (b"COPY 1,3:2 x", CopyTo(SequenceSet(((1, 1), (3, 2))), "x")),
        (b"UID MOVE * x", CopyTo(one(STAR), "x")),
        (b"COPY 0 x", None),
        (b"COPY 1,,2 x", None),
        (b"COPY 1: x", None),
        (b"COPY 4294967296 x", None),
        (b"COPY 99999999999 x", None),
        (b"EXPUNGE", NoArgs()),
        (b"UID EXPUNGE 1:4", UidExpunge(one(1, 4))),
        (b"UID EXPUNGE", None),
    ],
)
def test_message_commands(raw: bytes, want: Args | None) -> None:
    check(raw, want)


def fetched(raw: bytes) -> tuple[object, ...]:
    got = args(b"FETCH 1 " + raw)
    assert isinstance(got, Fetch)
    return got.items


FIELDS = SectionKind.FIELDS


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"FAST", (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE)),
        (b"all", (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE, Fact.ENVELOPE)),
        (b"FULL", (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE, Fact.ENVELOPE, Fact.BODY)),
        (b"uid", (Fact.UID,)),
        (b"(UID FLAGS UID modseq)", (Fact.UID, Fact.FLAGS, Fact.MODSEQ)),
        (b"BODY", (Fact.BODY,)),
        (b"BODYSTRUCTURE", (Fact.BODYSTRUCTURE,)),
        (b"(EMAILID THREADID SAVEDATE)", (Fact.EMAILID, Fact.THREADID, Fact.SAVEDATE)),
        (b"BODY[]", (Section(),)),
        (b"BODY.PEEK[]<0.100>", (Section(peek=True, partial=(0, 100)),)),
        (b"BODY[1.2.3]", (Section((1, 2, 3)),)),
        (b"BODY[1.mime]", (Section((1,), SectionKind.MIME),)),
        (b"body[header]", (Section(kind=SectionKind.HEADER),)),
        (b"BODY[2.TEXT]", (Section((2,), SectionKind.TEXT),)),
        (b"BODY[HEADER.FIELDS (From {2+}\r\nTo)]", (Section((), FIELDS, (b"From", b"To")),)),
        (
            b'BODY.PEEK[4.Header.Fields.Not ("X-y")]<5.1>',
            (Section((4,), SectionKind.FIELDS_NOT, (b"X-y",), True, (5, 1)),),
        ),
        (b"RFC822", (Section(legacy="RFC822"),)),
        (b"RFC822.HEADER", (Section(kind=SectionKind.HEADER, peek=True, legacy="RFC822.HEADER"),)),
        (b"RFC822.TEXT", (Section(kind=SectionKind.TEXT, legacy="RFC822.TEXT"),)),
        (b"RFC822.SIZE", (Fact.SIZE,)),
        (b"BINARY[1]<1.2>", (Binary((1,), partial=(1, 2)),)),
        (
            b"(BINARY.PEEK[] BINARY.SIZE[2.1])",
            (Binary(peek=True), Binary((2, 1), True, None, True)),
        ),
        (b"(PREVIEW PREVIEW (LAZY))", (Preview(), Preview(lazy=True))),
    ],
)
def test_fetch_items(raw: bytes, want: tuple[object, ...]) -> None:
    assert fetched(raw) == want


@pytest.mark.parametrize(
    "raw",
    [
        b"()",
        b"",
        b"FOO",
        b"(FAST)",
        b"(UID  FLAGS)",
        b"(UID",
        b"BODY[",
        b"BODY[MIME]",
        b"BODY[0]",
        b"BODY[1.]",
        b"BODY[.1]",
        b"BODY[1.0]",
        b"BODY[1TEXT]",
        b"BODY[FOO]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[TEXT.1]",
        b"BODY[]<1>",
        b"BODY[]<0.0>",
        b"BODY[99999999999]",
        b"BODY[" + b"1." * 200 + b"1]",
        b"BINARY[TEXT]",
        b"UID (VANISHED)",
        b"UID (FOO 1)",
    ],
)
def test_fetch_that_is_none(raw: bytes) -> None:
    assert isinstance(parse(b"t FETCH 1 " + raw), Malformed)


def test_patterns_of_list_are_bounded_together_with_their_reference() -> None:
    many = b"(" + b" ".join([b"x" * 30] * 2000) + b")"
    assert isinstance(parse(b't LIST "" ' + many), Command)
    assert isinstance(parse(b"t LIST abcde " + many), Malformed)
    assert isinstance(parse(b'LIST "" ' + b"x" * 65537), Malformed)
    assert isinstance(parse(b't LSUB "" ' + b"x" * 65537), Malformed)


def test_fetch_modifiers() -> None:
    assert args(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)") == Fetch(
        one(1, STAR), (Fact.FLAGS, Fact.UID, Fact.MODSEQ), 5, True
    )
    # RFC 8970 6: the list behind PREVIEW is FETCH's, unless it says LAZY.
    assert args(b"FETCH 1 PREVIEW (PARTIAL 1:2)") == Fetch(one(1), (Preview(),), partial=(1, 2))
    assert args(b"FETCH 1 PREVIEW (lazy) (PARTIAL 1:2)") == Fetch(
        one(1), (Preview(lazy=True),), partial=(1, 2)
    )
    assert args(b"FETCH 1 UID (CHANGEDSINCE 5)") == Fetch(one(1), (Fact.UID, Fact.MODSEQ), 5)
    assert args(b"UID FETCH 1:* UID (PARTIAL -1:-30)") == Fetch(
        one(1, STAR), (Fact.UID,), partial=(-1, -30)
    )


SEEN = FlagKey(Flag.SEEN)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"ALL", AllKey()),
        (b"unseen", FlagKey(Flag.SEEN, False)),
        (b"NEW", RecentKey(Recency.NEW)),
        (b"1:5", SeqKey(one(1, 5))),
        (b"$", SeqKey(SequenceSet((), True))),
        (b"UID 4,*", UidKey(SequenceSet(((4, 4), (STAR, STAR))))),
        (b"SEEN DELETED", AndKey((SEEN, FlagKey(Flag.DELETED)))),
        (b"(SEEN)", SEEN),
        (b"NOT (SEEN ALL)", NotKey(AndKey((SEEN, AllKey())))),
        (b"OR SEEN OR ALL NOT SEEN", OrKey(SEEN, OrKey(AllKey(), NotKey(SEEN)))),
        (b"KEYWORD $Junk", KeywordKey("$Junk")),
        (b"UNKEYWORD x", KeywordKey("x", False)),
        (b'SUBJECT "a b"', HeaderKey("subject", "a b")),
        (b"FROM {3+}\r\nx y", HeaderKey("from", "x y")),
        (b'HEADER Message-ID ""', HeaderKey("message-id", "")),
        (b"BODY x", TextKey("x", True)),
        (b"TEXT x", TextKey("x")),
        (b"SINCE 1-Feb-1994", DateKey(DateField.INTERNAL, DateOp.SINCE, date(1994, 2, 1))),
        (b'SENTON "01-feb-1994"', DateKey(DateField.SENT, DateOp.ON, date(1994, 2, 1))),
        (b"SAVEDBEFORE 1-Feb-1994", DateKey(DateField.SAVED, DateOp.BEFORE, date(1994, 2, 1))),
        (b"LARGER 10", SizeKey(True, 10)),
        (b"SMALLER 0", SizeKey(False, 0)),
        (b"OLDER 5", AgeKey(True, 5)),
        (b"MODSEQ 620162338", ModSeqKey(620162338)),
        (b'MODSEQ "/flags/\\\\draft" all 5', ModSeqKey(5, "/flags/\\draft")),
        (b"EMAILID M6d99", ObjectIdKey("M6d99")),
        (b"THREADID T1", ObjectIdKey("T1", True)),
        (b'CHARSET utf-8 SUBJECT "\xc3\xa9"', HeaderKey("subject", "\xe9")),
        (b"CHARSET ISO-8859-1 SUBJECT {1+}\r\n\xe9", HeaderKey("subject", "\xe9")),
        (b'SUBJECT "\xc3\xa9"', HeaderKey("subject", "\xe9")),
    ],
)
def test_search_keys(raw: bytes, want: object) -> None:
    got = args(b"SEARCH " + raw)
    assert isinstance(got, Search)
    assert got.key == want
    assert got.returns is None


@pytest.mark.parametrize(
    ("raw", "options", "partial"),
    [
        (b"RETURN () ALL", {"ALL"}, None),
        (b"RETURN (MIN max COUNT SAVE) 1", {"MIN", "MAX", "COUNT", "SAVE"}, None),
        (b"RETURN (PARTIAL 1:50) CHARSET UTF-8 ALL", set(), (1, 50)),
    ],
)
def test_search_returns(raw: bytes, options: set[str], partial: tuple[int, int] | None) -> None:
    got = args(b"UID SEARCH " + raw)
    assert isinstance(got, Search)
    assert got.returns == SearchReturn(frozenset(options), partial)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"FOO",
        b"()",
        b"(SEEN",
        b"SEEN)",
        b"NOT",
        b"OR SEEN",
        b"KEYWORD",
        b"SINCE 31-Feb-1994",
        b"SINCE 1994-02-01",
        b"OLDER 0",
        b"RETURN (FOO) ALL",
        b"RETURN (PARTIAL 1:-5) ALL",
        b"RETURN (ALL PARTIAL 1:5) ALL",
        b"RETURN (ALL)",
        b'SUBJECT "\xe9"',
        b"CHARSET UTF-8",
        b"CHARSET UTF-8 SUBJECT {1+}\r\n\xe9",
    ],
)
def test_search_that_is_none(raw: bytes) -> None:
    got = parse(b"t SEARCH " + raw)
    assert isinstance(got, Malformed)
    assert got.fault is Fault.SYNTAX


def test_unknown_charset() -> None:
    got = parse(b"t SEARCH CHARSET x-foo ALL")
    assert isinstance(got, Malformed)
    assert got.fault is Fault.BAD_CHARSET


@pytest.mark.parametrize(
    "raw",
    [
        b"SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000,
        b"SEARCH " + b"NOT " * 5000 + b"ALL",
        b"SEARCH " + b"OR ALL " * 5000 + b"ALL",
        b"SEARCH " + b"ALL " * 6000 + b"ALL",
        b"FETCH 1 (" + b" ".join([b"UID"] * 3000) + b")",
        b"FETCH " + b",".join([b"1"] * 30000) + b" UID",
        b"FETCH 1 BODY[HEADER.FIELDS (" + b" ".join([b"x"] * 3000) + b")]",
    ],
)
def test_bounds(raw: bytes) -> None:
    got = parse(b"t " + raw)
    assert isinstance(got, Malformed)
    assert got.fault is Fault.TOO_LONG


@pytest.mark.parametrize(
    ("raw", "tag"),
    [(b"", ""), (b" ", ""), (b"+ NOOP", ""), (b"a", "a"), (b"a\0b NOOP", "a"), (b"a \0", "a")],
)
def test_hardly_a_command(raw: bytes, tag: str) -> None:
    got = parse(raw)
    assert isinstance(got, Malformed)
    assert got.tag == tag


def test_unknown_commands_are_told_apart() -> None:
    for raw in (b"t XFOO bar", b"t UID CREATE x"):
        got = parse(raw)
        assert isinstance(got, Malformed)
        assert got.fault is Fault.UNKNOWN_COMMAND


def test_offset_points_at_the_fault() -> None:
    got = parse(b"t FETCH 1 (UID FOO)")
    assert isinstance(got, Malformed)
    assert got.offset == len(b"t FETCH 1 (UID FOO")


def test_streamed_literals_belong_to_messages_only() -> None:
    streamed = Literal(10**6)
    good = parse_command(RawCommand((b"t APPEND x ", b""), (streamed,)))
    assert isinstance(good, Command)
    assert good.args == Append("x", (AppendMessage(streamed),))
    assert isinstance(parse_command(RawCommand((b"t APPEND ", b" x"), (streamed,))), Malformed)


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(parse(b"t LOGIN joe secret"))
    assert "c2VjcmV0" not in repr(parse(b"t AUTHENTICATE PLAIN c2VjcmV0"))


WORDS = st.sampled_from(
    [n.encode() + b" " for n in (*COMMANDS, "UID", "OR", "NOT", "CHARSET", "RETURN", "BODY[")]
    + [
        b"(",
        b")",
        b" ",
        b'"',
        b"1:*",
        b"x ",
        b"\\Seen",
        b"{1+}\r\nx",
        b"]",
        b"<0.1>",
        b"\0",
        b"\xff",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS, max_size=12), st.booleans())
def test_anything_gives_a_value(words: list[bytes], utf8: bool) -> None:
    assert isinstance(parse(b"t " + b"".join(words), utf8=utf8), Command | Malformed)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(sorted(COMMANDS)), st.booleans())
def test_any_octets_give_a_value(raw: bytes, name: str, uid: bool) -> None:
    prefix = b"t UID " if uid and name in UID_COMMANDS else b"t "
    chunk = prefix + name.encode() + b" " + raw.replace(b"\n", b" ")
    assert isinstance(parse_command(RawCommand((chunk,))), Command | Malformed)


@pytest.mark.parametrize(
    "raw",
    [
        b"SEARCH " + b"ALL " * 4900 + b"ALL",
        b"FETCH 1:" + b"9" * 60000 + b" UID",
        b'LOGIN x "' + b'\\"' * 30000,
        b"SEARCH " + b" " * 60000,
        b'LIST "" (' + b"a " * 1999 + b"a)",
    ],
)
def test_long_lines_cost_little(raw: bytes) -> None:
    began = time.perf_counter()
    parse(b"t " + raw)
    assert time.perf_counter() - began < 1


def test_a_fetch_asked_for_again_is_read_as_at_first() -> None:
    """What stands behind the messages is remembered, with all that its meaning depends on."""
    texts = (
        b"a FETCH %d (UID FLAGS BODY.PEEK[HEADER.FIELDS (To)])",
        b"a UID FETCH %d (FLAGS) (CHANGEDSINCE 7 VANISHED)",
        b"a FETCH %d (FLAGS) (CHANGEDSINCE 7 VANISHED)",
        b"a UID FETCH %d (FLAGS)",
        b"a FETCH %d (FLAGS)",
        b"a FETCH %d FLAGS  ",
        b"a FETCH %d FLAGS)",
        b"a FETCH %d (FLAGS",
    )
    for text in texts:
        first, again = (parse_command(RawCommand((text % number,))) for number in (1, 2))
        assert isinstance(first, Command) == isinstance(again, Command)
        if isinstance(first, Command):
            assert isinstance(again, Command)
            assert isinstance(first.args, Fetch)
            assert isinstance(again.args, Fetch)
            assert replace(first.args, messages=again.args.messages) == again.args
        else:
            assert first == again
    tight = parse_command(RawCommand((texts[0] % 1,)), bounds=Bounds(items=1))
    assert isinstance(tight, Malformed)
    for number in range(1000):
        parse_command(RawCommand((b"a FETCH 1 BODY[%d]" % (number + 1),)))
    assert len(_kept) <= 256
