"""RFC 9422: LIMITS, and that they hold."""

from __future__ import annotations

from pathlib import Path

from tests.support.smtp_world import running


async def test_announced_and_kept(tmp_path: Path) -> None:
    async with running(tmp_path, max_messages_per_connection=2, max_recipients=100) as world:
        client = await world.connect()
        assert "LIMITS RCPTMAX=100 MAILMAX=2" in await client.say("EHLO c")
        one = b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nA: b\r\n\r\n.\r\n"
        client.write(one * 2)
        for code in ("250", "250", "354", "250") * 2:
            assert (await client.reply()).startswith(code)
        assert (await client.say("MAIL FROM:<>")).startswith("451 4.7.0")
