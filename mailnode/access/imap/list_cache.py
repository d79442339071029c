"""What LIST has answered lately: a client asks the same at each start, and hears the same.

Promises: an answer is used only while folders and subscriptions are what it was made from. Holds
the answers of ``MAX_USERS`` users, one each, of accounts with ``MAX_FOLDERS`` folders at most.
Used on the event loop only.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from mailnode.store import FolderInfo
from mailnode.wire.imap.ast import List

MAX_USERS = 1000
MAX_FOLDERS = 200


class Question(NamedTuple):
    """What an answer depends on: the command, whether names are told in UTF-8, what there is."""

    args: List
    utf8: bool
    folders: list[FolderInfo]
    subscribed: list[str]


class ListCache:
    """Answers by user; who has not asked for longest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Question, bytes]] = OrderedDict()

    def of(self, user: str, question: Question) -> bytes | None:
        """The answer, if this was what the user asked last."""
        kept = self._kept.get(user)
        if kept is None or kept[0] != question:
            return None
        self._kept.move_to_end(user)
        return kept[1]

    def keep(self, user: str, question: Question, answer: bytes) -> None:
        """Remember it."""
        if len(question.folders) + len(question.subscribed) > 2 * MAX_FOLDERS:
            self._kept.pop(user, None)
            return
        self._kept[user] = question, answer
        self._kept.move_to_end(user)
        if len(self._kept) > MAX_USERS:
            self._kept.popitem(last=False)
