"""A maildrop of 100 000 messages: what it takes of memory, and of other sessions' time."""

from __future__ import annotations

import asyncio
import tracemalloc
from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from mailnode.access.pop3.maildrop import open_maildrop
from mailnode.access.pop3.transaction import LIST_BATCH, do_list, do_stat, do_uidl
from mailnode.store import AccountRef
from mailnode.wire.pop3.command import Command
from mailnode.wire.pop3.uidl import UidlFormat

MESSAGES = 100_000


class LargeFolder:
    """An INBOX as the store shows it: columns, shared by all who look."""

    uids = array("I", range(1, MESSAGES + 1))

    def refresh(self) -> Any:
        return SimpleNamespace(uids=self.uids, uidvalidity=7)

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        return {uid: (uid + 1000, 0.0) for uid in uids}

    def close(self) -> None:
        pass


class Out:
    """Takes all at once and never keeps anybody waiting."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    async def drain(self) -> None:
        pass


def opened() -> Any:
    account = SimpleNamespace(open=lambda name: LargeFolder())
    store: Any = SimpleNamespace(account=lambda ref: account)
    return open_maildrop(store, AccountRef("user1", "example.test/user1"))


def test_a_message_costs_a_session_few_bytes() -> None:
    tracemalloc.start()
    try:
        drop = opened()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(drop) == drop.count == MESSAGES
    assert held < 20 * MESSAGES
    assert peak < 40 * MESSAGES


def test_others_have_their_turn_during_a_long_list() -> None:
    drop, out, turns = opened(), Out(), 0
    session: Any = SimpleNamespace(
        drop=lambda: drop,
        out=out,
        line=lambda reply: reply.line(),
        means=SimpleNamespace(uidl=UidlFormat("%08Xu%08Xv")),
    )

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def listing() -> None:
        waiting = asyncio.create_task(other())
        reply = await do_stat(session, Command("STAT"))
        assert reply.line() == b"+OK 100000 5100050000\r\n"
        for verb in (do_list, do_uidl):
            assert await verb(session, Command("X")) is None
        waiting.cancel()

    asyncio.run(listing())
    assert turns >= 2 * MESSAGES // LIST_BATCH - 1  # it was asked for after the first piece
    lines = b"".join(out.pieces).split(b"\r\n")
    assert lines[1:3] == [b"1 1001", b"2 1002"]
    names = lines[MESSAGES + 3 : 2 * MESSAGES + 3]
    assert names[-1] == b"100000 000186A000000007"
    assert len(set(names)) == MESSAGES
