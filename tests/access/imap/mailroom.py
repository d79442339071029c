"""A folder in memory with messages in it, for FETCH and SEARCH."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO

from mailnode.access.imap.message_file import MessageCache
from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.store import AccountRef, NewMessage
from mailnode.wire.mime.summary import summarise
from tests.support.fake_store import FakeFolder, FakeStore


def summary(data: bytes, kind: str) -> bytes:
    return summarise(data)[kind]


class CountingFolder(FakeFolder):
    """Counts how often message files and facts were asked for."""

    reads = 0
    asked = 0

    def read(self, uid: int) -> bytes:
        self.reads += 1
        return super().read(uid)

    def open(self, uid: int) -> BinaryIO:
        return io.BytesIO(super().read(uid))

    def infos(self, uids: Iterable[int]):
        self.asked += 1
        return super().infos(uids)


def make_folder() -> CountingFolder:
    account = FakeStore(summary=summary).account(AccountRef("u@x.test", "x.test/u"))
    inbox = account.open("INBOX")
    assert isinstance(inbox, FakeFolder)
    inbox.__class__ = CountingFolder
    assert isinstance(inbox, CountingFolder)
    return inbox


def put(
    folder: FakeFolder,
    data: bytes,
    flags: Flag = NO_FLAGS,
    keywords: Iterable[str] = (),
    at: float = 1_700_000_000.0,
) -> int:
    return folder.append([NewMessage((data,), at, flags, frozenset(keywords))])[0]


def cache() -> MessageCache:
    return MessageCache(limit_bytes=4 * 1024 * 1024, worth_bytes=64 * 1024)
