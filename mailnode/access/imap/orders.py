"""Folders that were sorted lately, in order: a client that pages asks for the same again and again.

Promises: an order is given only for the very messages it was made of; what one is sorted by never
changes while the message lives. All of them take ``limit_bytes`` at most, 8 bytes a message,
whoever and how many ask. Thread-safe.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailnode.store import Picture
from mailnode.wire.imap.ast import Criterion

LIMIT_BYTES = 8 * 1024 * 1024
_BYTES_EACH = 8  # the place in the order, and the UID, where no picture has it any more


class _Kept(NamedTuple):
    uids: Sequence[int]
    rows: array[int]


_Key = tuple[str, int, tuple[Criterion, ...]]


class Orders:
    """One for each worker; what was not asked for longest goes first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._left = limit_bytes // _BYTES_EACH

    def get(
        self, mailbox_id: str, picture: Picture, criteria: Iterable[Criterion]
    ) -> array[int] | None:
        """All rows of the picture in this order, if it is known."""
        key = mailbox_id, picture.uidvalidity, tuple(criteria)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
        # Flags make another picture, but leave the messages what they are.
        same = kept.uids is picture.uids or kept.uids == picture.uids
        return kept.rows if same else None

    def keep(
        self, mailbox_id: str, picture: Picture, criteria: Iterable[Criterion], rows: Sequence[int]
    ) -> None:
        """Remember all rows of the picture in their order."""
        key = mailbox_id, picture.uidvalidity, tuple(criteria)
        with self._lock:
            before = self._kept.pop(key, None)
            self._left += len(before.rows) if before else 0
            self._kept[key] = _Kept(picture.uids, array("I", rows))
            self._left -= len(rows)
            while self._left < 0:
                self._left += len(self._kept.popitem(last=False)[1].rows)
