"""RFC 3030: CHUNKING."""

from __future__ import annotations

from pathlib import Path

from tests.support.smtp_world import running

START = b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\n"


async def test_s2_chunks_at_any_border_are_not_unstuffed(tmp_path: Path) -> None:
    content = b"A: b\r\n\r\n..two dots\r\n.\r\nMAIL FROM:<x@y>\r\n"
    async with running(tmp_path) as world:
        for cut in range(len(content) + 1):
            client = await world.hello()
            client.write(START + b"BDAT %d\r\n" % cut + content[:cut])
            client.write(b"BDAT %d LAST\r\n" % (len(content) - cut) + content[cut:] + b"QUIT\r\n")
            for code in ("250", "250", "250 2.0.0", "250 2.0.0 accepted", "221"):
                assert (await client.reply()).startswith(code)
            assert world.courier.content.endswith(b"\r\n" + content)


async def test_s2_refused_chunks_are_read(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"BDAT 6\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        for code in ("503", "250", "503", "250"):
            assert (await client.reply()).startswith(code)


async def test_s3_data_and_bdat_do_not_mix(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(START + b"BDAT 4\r\nA: bDATA\r\nRCPT TO:<bob@here.test>\r\nRSET\r\n")
        for code in ("250", "250", "250", "503", "503", "250"):
            assert (await client.reply()).startswith(code)
        client.write(START + b"BDAT 0 LAST\r\n")
        for code in ("250", "250", "250 2.0.0 accepted"):
            assert (await client.reply()).startswith(code)


async def test_content_rules_hold(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(START + b"BDAT 5\r\na\r\nb\rBDAT 3 LAST\r\nc\r\nNOOP\r\n")
        for code in ("250", "250", "250", "550 5.6.11", "250"):
            assert (await client.reply()).startswith(code)
        client.write(START + b"BDAT 4 LAST\r\nA: b")
        for code in ("250", "250", "250"):
            assert (await client.reply()).startswith(code)
        assert world.courier.content.endswith(b"A: b\r\n")


async def test_size_counts_over_chunks(tmp_path: Path) -> None:
    async with running(tmp_path, max_message_bytes=65_536) as world:
        client = await world.hello()
        line = b"x" * 998 + b"\r\n"
        client.write(START + (b"BDAT 40000\r\n" + line * 40) * 2 + b"BDAT 0 LAST\r\nNOOP\r\n")
        for code in ("250", "250", "250", "250", "552 5.3.4", "250"):
            assert (await client.reply()).startswith(code)


async def test_an_unreadable_size_ends_the_dialog(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        assert (await client.say("BDAT lots LAST")).startswith("501")
        assert await client.at_end()
