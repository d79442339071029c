"""The maildrop: INBOX as it was at login, held without a lock.

Promises: numbers and sizes stay as they were told; other sessions, IMAP's too, may deliver and
delete meanwhile; nothing is deleted before ``update``. About 14 bytes a message.
Fails: ``StorageGone``, ``NoSuchMessage`` (deleted elsewhere); ``model.errors``.
RFC: 1939 4, 5, 6, 8.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import BinaryIO

from mailnode.model.errors import StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime.tasks import may_wait
from mailnode.store import Account, AccountRef, FlagsOp, Folder, Store

PIECE_BYTES = 64 * 1024
# Messages whose facts are held at once while a large folder is opened.
BATCH = 2000


class Maildrop:
    """One session's view. ``open``, ``read`` and ``update`` block: call them in the pool."""

    def __init__(self, folder: Folder, uidvalidity: int, uids: array[int], sizes: array[int]):
        self.folder = folder
        self.uidvalidity = uidvalidity
        self.uids = uids
        self.sizes = sizes
        self._deleted = bytearray(len(uids))
        self._fetched = bytearray(len(uids))
        self.count = len(uids)
        self.octets = sum(sizes)

    def __len__(self) -> int:
        """Messages at login; numbers go from 1 to this."""
        return len(self.uids)

    def exists(self, number: int) -> bool:
        """True for a number that is in range and not marked as deleted."""
        return 1 <= number <= len(self.uids) and not self._deleted[number - 1]

    def is_deleted(self, number: int) -> bool:
        """True when DELE marked it in this session."""
        return 1 <= number <= len(self.uids) and bool(self._deleted[number - 1])

    def numbers(self, first: int, most: int) -> list[int]:
        """Up to ``most`` numbers from ``first`` on that are not marked as deleted."""
        marks = self._deleted
        return [n for n in range(first, min(first + most, len(marks) + 1)) if not marks[n - 1]]

    def delete(self, number: int) -> None:
        """Mark; RFC 1939 5: removed only by QUIT."""
        self._deleted[number - 1] = 1
        self.count -= 1
        self.octets -= self.sizes[number - 1]

    def reset(self) -> None:
        """Unmark all."""
        self._deleted = bytearray(len(self.uids))
        self.count = len(self.uids)
        self.octets = sum(self.sizes)

    def note_fetched(self, number: int) -> None:
        """The client has the whole message."""
        self._fetched[number - 1] = 1

    def open(self, number: int) -> tuple[BinaryIO | None, bytes]:
        """The message's first piece, and its file if there is more. Raises ``NoSuchMessage``,
        ``StorageGone``."""
        file = self.folder.open(self.uids[number - 1])
        try:
            piece = read_piece(file)
        except BaseException:
            file.close()
            raise
        if len(piece) == PIECE_BYTES:
            return file, piece
        file.close()
        return None, piece

    def read(self, number: int) -> bytes:
        """A small message whole. Raises ``NoSuchMessage``, ``StorageGone``."""
        return self.folder.read(self.uids[number - 1])

    def has_news(self, mark_seen: bool) -> bool:
        """Whether ``update`` has anything to do."""
        return 1 in self._deleted or (mark_seen and 1 in self._fetched)

    def update(self, mark_seen: bool) -> int:
        """RFC 1939 6: remove what is marked, durably; how many went. What was removed elsewhere
        is no error."""
        doomed = self._picked(self._deleted)
        removed = len(self.folder.remove(doomed)) if doomed else 0
        if mark_seen and 1 in self._fetched:
            self._mark_seen()
        return removed

    def _mark_seen(self) -> None:
        kept = bytes(f and not d for f, d in zip(self._fetched, self._deleted, strict=True))
        uids = self._picked(kept)
        if uids:
            self.folder.store_flags(uids, FlagsOp.ADD, Flag.SEEN, frozenset())

    def _picked(self, marks: Sequence[int]) -> list[int]:
        return [uid for uid, mark in zip(self.uids, marks, strict=True) if mark]

    def close(self) -> None:
        """Give the folder back."""
        self.folder.close()


def open_maildrop(store: Store, ref: AccountRef) -> Maildrop:
    """INBOX as it is now. Blocks, or may be a brisk call."""
    account: Account = store.account(ref)
    folder = account.open("INBOX")
    try:
        return _snapshot(folder)
    except BaseException:
        folder.close()
        raise


def _snapshot(folder: Folder) -> Maildrop:
    picture = folder.refresh()
    if len(picture.uids) > BATCH:
        may_wait()
    uids, sizes = array("I"), array("Q")
    for start in range(0, len(picture.uids), BATCH):
        # What goes between refresh and here is left out, as if it had gone before.
        batch = folder.sizes(picture.uids[start : start + BATCH])
        uids.extend(batch)
        sizes.extend(size for size, _ in batch.values())
    return Maildrop(folder, picture.uidvalidity, uids, sizes)


def read_piece(file: BinaryIO) -> bytes:
    """The next piece; shorter than ``PIECE_BYTES`` only at the end. Raises ``StorageGone``."""
    try:
        return file.read(PIECE_BYTES)
    except OSError as error:
        raise StorageGone(f"reading a message: {error}") from error
