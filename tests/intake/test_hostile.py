"""Hostile bytes, many sessions: nothing breaks, hangs, or grows."""

from __future__ import annotations

import asyncio
import random
import resource
from pathlib import Path

from mailnode.intake.service import Role
from mailnode.runtime.maillog import Event
from tests.support.smtp_world import running

_WORDS = [
    b"EHLO x\r\n", b"LHLO x\r\n", b"MAIL FROM:<>\r\n", b"MAIL FROM:<a@b.c> SIZE=9 BODY=7BIT\r\n",
    b"RCPT TO:<alice@here.test>\r\n", b"DATA\r\n", b".\r\n", b"\r\n.\r\n", b"BDAT 5\r\n", b"hello",
    b"BDAT 0 LAST\r\n", b"RSET\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN ", b"=\r\n", b"\0", b"\xff",
    b"\r", b"\n", b"<" * 50, b'"', b"HELP\r\n", b"VRFY x\r\n", b"RCPT TO:<\"a\\",
    b"@here.test>\r\n",
    b"x" * 3000, b"NOTIFY=", b"BDAT 99999999999\r\n", b"\x16\x03\x01\x02\x00\x01",
]  # fmt: skip


async def test_random_dialogs_end_cleanly(tmp_path: Path) -> None:
    chance = random.Random(7)
    for role in Role:
        folder = tmp_path / role.value
        folder.mkdir()
        async with running(folder, role, max_errors=1000) as world:

            async def one(words: list[bytes], port: int = world.port) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert (await reader.readline()).startswith(b"220")
                writer.writelines(words)
                writer.write_eof()
                async with asyncio.timeout(10):
                    rest = await reader.read()
                assert b"Traceback" not in rest
                assert b"Error" not in rest
                writer.close()

            for _ in range(40):
                dialogs = [chance.choices(_WORDS, k=chance.randrange(1, 40)) for _ in range(5)]
                await asyncio.gather(*map(one, dialogs))
            async with asyncio.timeout(5):
                while world.service.session_count():
                    await asyncio.sleep(0.01)
            assert not world.events(Event.ERROR)


async def test_large_messages_side_by_side_do_not_grow_memory(tmp_path: Path) -> None:
    piece = b"x" * 998 + b"\r\n"
    async with running(tmp_path) as world:
        world.courier.keep = False

        async def one() -> None:
            client = await world.hello()
            client.write(b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n")
            for _ in range(20 * 1024 // 256):
                client.write(piece * 262)
                await client.writer.drain()
            client.write(b".\r\n")
            for code in ("250", "250", "354", "250"):
                assert (await client.reply()).startswith(code)

        await one()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await asyncio.gather(*(one() for _ in range(8)))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        # 8 x 20 MiB came in; client and server together held a few hundred KiB of each.
        assert grown < 40 * 1024


async def test_a_client_that_takes_no_replies_is_sent_away(tmp_path: Path) -> None:
    async with running(tmp_path, command_timeout_s=0.3) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            try:
                while world.service.session_count() or not reader.at_eof():
                    writer.write(b"HELP\r\n" * 1000)
                    await writer.drain()
                    if not world.service.session_count() and world.events(Event.DISCONNECTED):
                        break
            except ConnectionError:
                pass
            while world.service.session_count():
                await asyncio.sleep(0.01)
        writer.close()
