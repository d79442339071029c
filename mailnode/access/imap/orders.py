"""Folders that were sorted or threaded lately: a client that pages asks for the same again.

Promises: an order is given only for the very messages it was made of; what one is sorted by never
changes while the message lives. All of them take ``limit_bytes`` at most, 8 bytes a message (of
threads 16), whoever and how many ask. Thread-safe.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from mailnode.store import Picture

LIMIT_BYTES = 8 * 1024 * 1024
_BYTES_EACH = 8  # a number of the order, and a UID, where no picture has it any more


class _Kept(NamedTuple):
    uids: Sequence[int]
    rows: array[int]


_Key = tuple[str, int, Hashable]


class Orders:
    """One for each worker; what was not asked for longest goes first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._left = limit_bytes // _BYTES_EACH

    def get(self, mailbox_id: str, picture: Picture, by: Hashable) -> array[int] | None:
        """What was kept of all rows of the picture ``by`` something, if it is known."""
        key = mailbox_id, picture.uidvalidity, by
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
        # Flags make another picture, but leave the messages what they are.
        same = kept.uids is picture.uids or kept.uids == picture.uids
        return kept.rows if same else None

    def keep(self, mailbox_id: str, picture: Picture, by: Hashable, rows: Sequence[int]) -> None:
        """Remember all rows of the picture in their order."""
        key = mailbox_id, picture.uidvalidity, by
        with self._lock:
            before = self._kept.pop(key, None)
            self._left += len(before.rows) if before else 0
            self._kept[key] = _Kept(picture.uids, array("I", rows))
            self._left -= len(rows)
            while self._left < 0:
                self._left += len(self._kept.popitem(last=False)[1].rows)
