"""A question that any database answers, and waiting until it does."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.model.errors import DirectoryGone
from mailnode.runtime.sql import Database


async def one(connection: AsyncConnection) -> int:
    """1."""
    return int((await connection.execute(text("SELECT 1"))).scalar_one())


async def until_answers(database: Database, within_s: float = 20.0) -> None:
    """Ask until it answers. Raises ``TimeoutError``."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await database.read(one)
                return
            except DirectoryGone:
                await asyncio.sleep(0.05)
