"""What NOTIFY asks for, as values.

RFC: 5465 5, 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailnode.wire.imap.fetch_items import FetchItem


class NotifyEvent(Enum):
    """The events a server may tell of; values as they are written."""

    NEW = "MessageNew"
    EXPUNGE = "MessageExpunge"
    FLAGS = "FlagChange"
    NAME = "MailboxName"
    SUBSCRIPTION = "SubscriptionChange"
    MAILBOX_METADATA = "MailboxMetadataChange"
    SERVER_METADATA = "ServerMetadataChange"


MESSAGE_EVENTS = frozenset((NotifyEvent.NEW, NotifyEvent.EXPUNGE, NotifyEvent.FLAGS))


class Which(Enum):
    """Which mailboxes a group is about; values as they are written, in upper case."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    MAILBOXES = "MAILBOXES"


SELECTED = frozenset((Which.SELECTED, Which.SELECTED_DELAYED))


@dataclass(frozen=True, slots=True)
class EventGroup:
    """``(selected (MessageNew (UID) MessageExpunge))``. ``names``: of SUBTREE and MAILBOXES;
    ``items``: what FETCH shall tell of new messages."""

    which: Which
    names: tuple[str, ...]
    events: frozenset[NotifyEvent]
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY. No groups: NOTIFY NONE. ``unknown``: events that we do not know."""

    groups: tuple[EventGroup, ...] = ()
    status: bool = False
    unknown: tuple[str, ...] = ()
