"""What FETCH has answered of messages lately, apart from their flags: it is the same for ever.

Promises: holds about ``limit_bytes`` in ``MAX_TABLES`` tables at most, what the keys take included;
a UID never names two messages under one UIDVALIDITY, so nothing grows stale. Whether a message is
still there, and may be read, is for the caller to know.
Locks: one, around the figures; nothing blocks while it is held.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from threading import Lock

from mailnode.store import Picture

# Longer answers are rare, and cost more to keep than to make.
WORTH_BYTES = 4096
_ENTRY_BYTES = 100  # what the tables take for a message, about
_TABLE_BYTES = 300  # and for a key
_WORD_BYTES = 64  # and for each word in it, its text apart
MAX_TABLES = 4096


class RowCache:
    """Answers by folder and wanted items; the longest unused folder goes first."""

    def __init__(self, limit_bytes: int = 16 * 1024 * 1024) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._tables: OrderedDict[Hashable, dict[int, bytes]] = OrderedDict()
        self._costs: dict[Hashable, int] = {}
        self._lock = Lock()

    def of(self, key: Hashable) -> Mapping[int, bytes]:
        """What is kept under ``key``, by UID."""
        with self._lock:
            table = self._tables.get(key)
            if table is None:
                return {}
            self._tables.move_to_end(key)
            return table

    def keep(self, key: Hashable, answers: Mapping[int, bytes]) -> None:
        """Keep these as well; a folder that takes half of all the room begins anew."""
        if not answers:
            return
        with self._lock:
            table, cost = self._tables.pop(key, {}), self._costs.pop(key, 0)
            self._held -= cost
            cost = cost or _cost(key)
            added = {uid: text for uid, text in answers.items() if uid not in table}
            cost += sum(map(len, added.values())) + _ENTRY_BYTES * len(added)
            if cost > self._limit // 2:
                return
            table.update(added)  # readers meanwhile ask for single UIDs only
            self._tables[key], self._costs[key] = table, cost
            self._held += cost
            while self._held > self._limit or len(self._tables) > MAX_TABLES:
                oldest, _ = self._tables.popitem(last=False)
                self._held -= self._costs.pop(oldest)


def is_same(now: Picture, picture: Picture) -> bool:
    """Whether nothing came, went or changed since: each of these raises the modseq."""
    return now is picture or (
        now.uidvalidity == picture.uidvalidity and now.highestmodseq == picture.highestmodseq
    )


def _cost(key: Hashable) -> int:
    """Of an empty table: what a client asks for may be longer than what it is answered."""
    text = repr(key)
    return _TABLE_BYTES + len(text) + _WORD_BYTES * text.count(",")
