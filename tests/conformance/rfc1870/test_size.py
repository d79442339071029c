"""RFC 1870: SIZE."""

from __future__ import annotations

from pathlib import Path

from tests.support.smtp_world import running


async def test_s6_declared_and_counted(tmp_path: Path) -> None:
    async with running(tmp_path, max_message_bytes=65_536) as world:
        client = await world.connect()
        assert "250-SIZE 65536" in (await client.say("EHLO c")).split("\n")
        await client.dialog(
            """
            C: MAIL FROM:<s@far.test> SIZE=65537
            S: 552 5.3.4
            C: MAIL FROM:<s@far.test> SIZE=x
            S: 501 5.5.4
            C: MAIL FROM:<s@far.test> SIZE=99999999999999999999
            S: 552
            C: MAIL FROM:<s@far.test> SIZE=10
            S: 250
            C: RCPT TO:<alice@here.test>
            S: 250
            """
        )
        # 6.3: the declaration is a hint; what counts is what comes.
        exact = b"A: b\r\n\r\n" + b"x" * 65_526 + b"\r\n"
        assert len(exact) == 65_536
        client.write(b"DATA\r\n" + exact + b".\r\n")
        assert (await client.reply()).startswith("354")
        assert (await client.reply()).startswith("250")
        client.write(b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nx" + exact + b".\r\n")
        for code in ("250", "250", "354", "552 5.3.4"):
            assert (await client.reply()).startswith(code)
