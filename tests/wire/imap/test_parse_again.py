"""Commands that are said again and again mean each time what they meant the first time."""

from __future__ import annotations

import pytest

from mailnode.wire.imap.ast import Command, Fetch, Malformed, StoreFlags
from mailnode.wire.imap.parse import command, parse_command
from mailnode.wire.imap.receiver import RawCommand

AGAIN = (
    b"NOOP",
    b"noop ",
    b'LIST "" "*"',
    b"STATUS Copies (MESSAGES UIDNEXT)",
    b"SELECT inbox",
    b"FETCH 1:20 (UID FLAGS)",
    b"UID SEARCH SUBJECT figures",
    b"EXPUNGE",
    b"STORE 1 +FLAGS (\\Deleted)",
    b"UID STORE 7 (UNCHANGEDSINCE 4) -FLAGS.SILENT \\Seen Junk",
    b"SELECT &AOQ-rger",
    b"SEARCH",
    b"FETCH 1",
    b"STATUS x ()",
    b"STORE 1 +FLAGS (\\Nonsense)",
    b"NOOP x",
)


def parsed(text: bytes, *, tag: bytes = b"t", utf8: bool = False) -> Command | Malformed:
    return parse_command(RawCommand((tag + b" " + text,)), utf8=utf8)


@pytest.mark.parametrize("text", AGAIN)
def test_the_same_at_each_time(text: bytes) -> None:
    raw = RawCommand((b"first " + text,))
    alone = command._parse(raw, False, command._DEFAULT_BOUNDS)
    assert [parsed(text, tag=b"first") for _ in range(3)] == [alone] * 3
    second = parsed(text, tag=b"second")
    assert second.tag == "second"
    assert type(second) is type(alone)


def test_names_depend_on_what_was_enabled() -> None:
    plain, wide = parsed(b"SELECT a&AOQ-"), parsed(b"SELECT a&AOQ-", utf8=True)
    assert isinstance(plain, Command)
    assert isinstance(wide, Command)
    assert plain.args.mailbox == "aä"  # type: ignore[union-attr]
    assert wide.args.mailbox == "a&AOQ-"  # type: ignore[union-attr]


def test_each_has_its_own_messages() -> None:
    one, other = parsed(b"UID FETCH 1 FLAGS"), parsed(b"UID FETCH 2 FLAGS")
    assert isinstance(one, Command)
    assert isinstance(other, Command)
    assert isinstance(one.args, Fetch)
    assert isinstance(other.args, Fetch)
    assert (one.args.messages.ranges, other.args.messages.ranges) == (((1, 1),), ((2, 2),))
    changes = [parsed(b"STORE %d +FLAGS (\\Seen)" % number) for number in (1, 2)]
    for number, change in enumerate(changes, 1):
        assert isinstance(change, Command)
        assert isinstance(change.args, StoreFlags)
        assert change.args.messages.ranges == ((number, number),)


@pytest.mark.parametrize(
    "text",
    [b"LOGIN ann secret", b"AUTHENTICATE PLAIN c2VjcmV0", b'SETMETADATA a (/private/b "c")'],
)
def test_what_may_be_secret_is_not_kept(text: bytes) -> None:
    assert command._COMMON.match(b"t " + text) is None


def test_what_is_kept_is_short() -> None:
    assert command._COMMON.match(b"t SEARCH SUBJECT " + b"x" * 200) is None
    assert isinstance(parsed(b"SEARCH SUBJECT " + b"x" * 200), Command)
