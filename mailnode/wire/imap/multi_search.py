"""What the ESEARCH command asks for, as values.

RFC: 7377 2, 5465 6 (which mailboxes).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailnode.wire.imap.search_keys import Search

SOURCES = frozenset(
    ("SELECTED", "INBOXES", "PERSONAL", "SUBSCRIBED", "SUBTREE", "SUBTREE-ONE", "MAILBOXES")
)
NAMED_SOURCES = frozenset(("SUBTREE", "SUBTREE-ONE", "MAILBOXES"))


@dataclass(frozen=True, slots=True)
class Source:
    """``which`` out of ``SOURCES``; ``names`` for ``NAMED_SOURCES``."""

    which: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH. No sources: the selected mailbox."""

    sources: tuple[Source, ...]
    search: Search
