"""What the dispatcher knows of a command: who runs it, when it is legal, what may be told after.

RFC: 3501 3, 6, 7.4.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mailnode.access.imap.reply import Reply
from mailnode.access.imap.session import Session, State
from mailnode.wire.imap.ast import Command

ANY = frozenset((State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED))
STRANGER = frozenset((State.NOT_AUTHENTICATED,))
KNOWN = frozenset((State.AUTHENTICATED, State.SELECTED))
SELECTED = frozenset((State.SELECTED,))


class After(Enum):
    """What the client is told of its folder before the tagged reply."""

    NONE = "nothing"
    KNOWN = "what we heard of"
    LOOK = "what a look at the folder shows"
    NUMBERS_STAY = "what we heard of; without EXPUNGE unless it was a UID command"


# The second argument is the command's own value from ``wire.imap.ast``, by its name. A reply of
# ``None`` means that the command goes on (IDLE).
Handler = Callable[[Session, Command, Any], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One line of a command table."""

    run: Handler
    states: frozenset[State]
    news: After = After.KNOWN
