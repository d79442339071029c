"""One question about many folders, asked in the pool a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mailnode.access.imap.session import Session
from mailnode.model.errors import NoSuchFolder

T = TypeVar("T")
FOLDERS_AT_ONCE = 20


async def each_folder(session: Session, names: list[str], ask: Callable[[str], T]) -> dict[str, T]:
    """The answers by name; what vanished meanwhile is left out. ``ask`` may block."""

    def read(some: list[str]) -> dict[str, T]:
        found = {}
        for name in some:
            try:
                found[name] = ask(name)
            except NoSuchFolder:
                continue
        return found

    every: dict[str, T] = {}
    for at in range(0, len(names), FOLDERS_AT_ONCE):
        every |= await session.means.pool.run(read, names[at : at + FOLDERS_AT_ONCE])
    return every
