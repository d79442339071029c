"""What somebody may do with a mailbox, as letters.

Promises: rights are always written in one order, each once.
RFC: 4314 2.1, 2.1.1, 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable

# lookup, read, keep seen, write, insert, post, create mailboxes, delete mailbox, delete messages,
# expunge, administer
ALL_RIGHTS = "lrswipkxtea"
# RFC 4314 2.1.1: what the rights of RFC 2086 that were split stand for.
OBSOLETE = {"c": "kx", "d": "te"}


def ordered(rights: Iterable[str]) -> str:
    """These rights in the usual order; what is no right of ours is left out."""
    wanted = set(rights)
    return "".join(right for right in ALL_RIGHTS if right in wanted)


def expanded(text: str) -> str | None:
    """The rights that a client names, obsolete ones replaced; ``None`` where one is unknown."""
    spelt = "".join(OBSOLETE.get(right, right) for right in text)
    return ordered(spelt) if set(spelt) <= set(ALL_RIGHTS) else None


def shown(rights: str) -> str:
    """The rights as a client is told them.

    RFC 4314 2.1.1: with an obsolete right where any of those it stands for is there.
    """
    old = (name for name, members in OBSOLETE.items() if set(members) & set(rights))
    return ordered(rights) + "".join(old)
