"""NOTIFY.

RFC: 5465 5 (which events go together), 6.1 (selected mailbox), 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailnode.wire.imap.fetch_items import FetchItem
from mailnode.wire.imap.lexer import Cursor
from mailnode.wire.imap.notify_args import (
    MESSAGE_EVENTS,
    SELECTED,
    EventGroup,
    Notify,
    NotifyEvent,
    Which,
)
from mailnode.wire.imap.parse.fetch import parse_items

_EVENTS = {event.value.upper(): event for event in NotifyEvent}
_WHICH = {which.value: which for which in Which}
_PAIR = frozenset((NotifyEvent.NEW, NotifyEvent.EXPUNGE))


@dataclass(slots=True)
class _Asked:
    """The events of a group, as they are read."""

    events: set[NotifyEvent] = field(default_factory=set)
    items: list[FetchItem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def parse_notify(cursor: Cursor, uid: bool) -> Notify:
    """``NOTIFY NONE``, ``NOTIFY SET [STATUS] (mailboxes events) ...``."""
    cursor.space()
    word = cursor.word("SET or NONE")
    if word == "NONE":
        return Notify()
    if word != "SET":
        cursor.fail("expected SET or NONE")
    cursor.space()
    status = not cursor.at(b"(")
    if status:
        if cursor.word("STATUS") != "STATUS":
            cursor.fail("expected STATUS or a group")
        cursor.space()
    groups: list[EventGroup] = []
    unknown: list[str] = []
    while not groups or not cursor.at_end():
        if groups:
            cursor.space()
        if len(groups) >= cursor.bounds.items:
            cursor.fail("too many groups")
        groups.append(_group(cursor, unknown))
    if sum(group.which in SELECTED for group in groups) > 1:
        cursor.fail("the selected mailbox is named twice")
    return Notify(tuple(groups), status, tuple(unknown))


def _group(cursor: Cursor, unknown: list[str]) -> EventGroup:
    cursor.expect(b"(", "group")
    which = _WHICH.get(cursor.word("mailboxes"))
    if which is None:
        cursor.fail("unknown mailboxes")
    names: list[str] = []
    if which in (Which.SUBTREE, Which.MAILBOXES):
        cursor.space()
        names = (
            cursor.listed(cursor.mailbox, "mailboxes") if cursor.at(b"(") else [cursor.mailbox()]
        )
    cursor.space()
    asked = _Asked()
    if cursor.at(b"("):
        cursor.listed(lambda: _event(cursor, asked), "events")
    elif cursor.word("NONE") != "NONE":
        cursor.fail("expected events")
    cursor.expect(b")", "end of group")
    unknown += asked.unknown
    _check(cursor, which, asked)
    return EventGroup(which, tuple(names), frozenset(asked.events), tuple(asked.items))


def _event(cursor: Cursor, asked: _Asked) -> None:
    name = cursor.atom("event")
    event = _EVENTS.get(name.upper())
    if event is None:
        asked.unknown.append(name)
        return
    asked.events.add(event)
    if event is NotifyEvent.NEW and cursor.at(b" ("):
        cursor.space()
        asked.items += parse_items(cursor)


def _check(cursor: Cursor, which: Which, asked: _Asked) -> None:
    messages = asked.events & MESSAGE_EVENTS
    # RFC 5465 5: MessageNew and MessageExpunge go together, FlagChange goes with both.
    if messages and not messages >= _PAIR:
        cursor.fail("MessageNew and MessageExpunge go together")
    # RFC 5465 6.1: the selected mailbox has message events only; 8: and only it has FETCH items.
    if which in SELECTED and asked.events - MESSAGE_EVENTS:
        cursor.fail("only message events for the selected mailbox")
    if which not in SELECTED and asked.items:
        cursor.fail("FETCH items for the selected mailbox only")
