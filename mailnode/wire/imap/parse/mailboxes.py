"""Commands on mailboxes.

RFC: 3501/9051 6.3; 5258 (LIST-EXTENDED), 5819 (LIST-STATUS), 6154 (SPECIAL-USE), 7162
(CONDSTORE, QRESYNC), 8438 (STATUS=SIZE), 8440 (LIST-MYRIGHTS), 8474 (MAILBOXID), 9590
(LIST-METADATA).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailnode.wire.imap.ast import (
    STATUS_ITEMS,
    Create,
    Fault,
    List,
    OneMailbox,
    QResync,
    Rename,
    Select,
    Status,
)
from mailnode.wire.imap.lexer import UINT63, Cursor
from mailnode.wire.imap.parse.metadata import parse_entries
from mailnode.wire.imap.sets import STAR, SequenceSet

SELECT_OPTIONS = frozenset(("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"))
RETURN_OPTIONS = frozenset(
    ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS", "METADATA", "MYRIGHTS")
)


def parse_select(cursor: Cursor, uid: bool) -> Select:
    """``SELECT mailbox [(parameters)]``; EXAMINE alike."""
    cursor.space()
    mailbox, asked = _as_asked(cursor, cursor.astring())
    if cursor.at_end():
        return Select(mailbox, asked=asked)
    cursor.space()
    parameters = cursor.listed(lambda: _select_parameter(cursor), "SELECT parameters")
    resync = next((p for p in parameters if p is not None), None)
    return Select(mailbox, None in parameters, resync, asked)


def _as_asked(cursor: Cursor, raw: bytes) -> tuple[str, str]:
    name, asked = cursor.name(raw), cursor.decode_name(raw)
    return name, "" if asked == name else asked


def _select_parameter(cursor: Cursor) -> QResync | None:
    name = cursor.word("SELECT parameter")
    if name == "CONDSTORE":
        return None
    if name != "QRESYNC":
        # RFC 4466 2.1: an unknown parameter is a BAD command.
        cursor.fail("unknown SELECT parameter")
    cursor.space()
    return _qresync(cursor)


def _qresync(cursor: Cursor) -> QResync:
    cursor.expect(b"(", "list")
    uidvalidity = cursor.number("UIDVALIDITY", 1)
    cursor.space()
    modseq = cursor.number("mod-sequence", 1, UINT63)
    known: SequenceSet | None = None
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None
    if cursor.take(b" ") and not cursor.at(b"("):
        known = _known_set(cursor)
        cursor.take(b" ")
    if cursor.take(b"("):
        numbers = _known_set(cursor)
        cursor.space()
        uids = _known_set(cursor)
        cursor.expect(b")", "end of list")
    cursor.expect(b")", "end of list")
    return QResync(uidvalidity, modseq, known, numbers, uids)


def _known_set(cursor: Cursor) -> SequenceSet:
    """RFC 7162 7: what a client knows it can name; nothing is selected yet that ``*`` or ``$``
    could be of."""
    found = cursor.sequence_set()
    if found.saved or any(STAR in pair for pair in found.ranges):
        cursor.fail("neither * nor $ may be in here")
    return found


def parse_create(cursor: Cursor, uid: bool) -> Create:
    """``CREATE mailbox [(USE (\\Sent))]``."""
    cursor.space()
    raw = cursor.astring()
    name, asked = _as_asked(cursor, raw)
    # RFC 9051 6.3.4: a trailing separator only says that children will follow.
    mailbox, misspelt = name.removesuffix("/"), cursor.is_misspelt(raw)
    if cursor.at_end():
        return Create(mailbox, (), asked, misspelt)
    cursor.space()
    cursor.expect(b"(", "CREATE parameters")
    if cursor.word("CREATE parameter") != "USE":
        cursor.fail("unknown CREATE parameter")
    cursor.space()
    uses = cursor.listed(lambda: _use(cursor), "special uses")
    cursor.expect(b")", "end of list")
    return Create(mailbox, tuple(uses), asked, misspelt)


def _use(cursor: Cursor) -> str:
    cursor.expect(b"\\", "special use")
    return "\\" + cursor.atom("special use").capitalize()


def parse_one_mailbox(cursor: Cursor, uid: bool) -> OneMailbox:
    """DELETE, SUBSCRIBE, UNSUBSCRIBE."""
    cursor.space()
    return OneMailbox(cursor.mailbox())


def parse_rename(cursor: Cursor, uid: bool) -> Rename:
    """``RENAME old new``."""
    cursor.space()
    old = cursor.mailbox()
    cursor.space()
    raw = cursor.astring()
    return Rename(old, cursor.name(raw).removesuffix("/"), cursor.is_misspelt(raw))


def parse_lsub(cursor: Cursor, uid: bool) -> List:
    """``LSUB reference pattern``."""
    cursor.space()
    reference = cursor.name(cursor.astring())
    cursor.space()
    return List(reference, _bounded(cursor, reference, [cursor.list_pattern()]))


def parse_list(cursor: Cursor, uid: bool) -> List:
    """``LIST [(selection)] reference pattern|(patterns) [RETURN (options)]``."""
    cursor.space()
    select: frozenset[str] | None = None
    if cursor.at(b"("):
        select = frozenset(cursor.listed(lambda: _select_option(cursor), "selection options"))
        cursor.space()
    reference = cursor.name(cursor.astring())
    cursor.space()
    several = cursor.at(b"(")
    patterns = (
        cursor.listed(cursor.list_pattern, "patterns") if several else [cursor.list_pattern()]
    )
    bounded = _bounded(cursor, reference, patterns)
    returns, asked = (None, Asked()) if cursor.at_end() else _list_return(cursor)
    # RFC 5258 3.1: RECURSIVEMATCH needs a selection that it can recurse for.
    if select is not None and "RECURSIVEMATCH" in select and select <= {"RECURSIVEMATCH", "REMOTE"}:
        cursor.fail("RECURSIVEMATCH needs another selection option")
    extended = several or select is not None or returns is not None
    given = returns or frozenset()
    return List(
        reference,
        bounded,
        select or frozenset(),
        given,
        tuple(asked.status),
        extended,
        tuple(asked.metadata),
    )


def _bounded(cursor: Cursor, reference: str, patterns: list[str]) -> tuple[str, ...]:
    """The patterns, unless all that is to be matched is too long."""
    if sum(map(len, patterns)) + len(reference) * len(patterns) > cursor.bounds.letters:
        cursor.fail("patterns too long", Fault.TOO_LONG)
    return tuple(patterns)


def _select_option(cursor: Cursor) -> str:
    option = cursor.word("selection option")
    if option not in SELECT_OPTIONS:
        cursor.fail("unknown selection option")
    return option


@dataclass(slots=True)
class Asked:
    """Return options that have arguments."""

    status: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)


def _list_return(cursor: Cursor) -> tuple[frozenset[str], Asked]:
    cursor.space()
    if cursor.word("RETURN") != "RETURN":
        cursor.fail("expected RETURN")
    cursor.space()
    asked = Asked()
    options = cursor.listed(lambda: _return_option(cursor, asked), "return options")
    return frozenset(options) - {"STATUS", "METADATA"}, asked


def _return_option(cursor: Cursor, asked: Asked) -> str:
    option = cursor.word("return option")
    if option not in RETURN_OPTIONS:
        cursor.fail("unknown return option")
    if option == "STATUS":
        cursor.space()
        asked.status += _status_items(cursor)
    elif option == "METADATA":
        cursor.space()
        asked.metadata += dict.fromkeys(parse_entries(cursor))
    return option


def parse_status(cursor: Cursor, uid: bool) -> Status:
    """``STATUS mailbox (items)``."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Status(mailbox, tuple(_status_items(cursor)))


def _status_items(cursor: Cursor) -> list[str]:
    items = cursor.listed(lambda: _status_item(cursor), "status items")
    if not items:
        cursor.fail("expected a status item")
    return list(dict.fromkeys(items))


def _status_item(cursor: Cursor) -> str:
    item = cursor.word("status item")
    if item not in STATUS_ITEMS:
        cursor.fail("unknown status item")
    return item
