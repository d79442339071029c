"""RFC 2920: PIPELINING."""

from __future__ import annotations

from pathlib import Path

from tests.support.smtp_world import running


async def test_s3_1_replies_in_order_with_refusals_between(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(
            b"RSET\r\nMAIL FROM:<s@far.test>\r\nRCPT TO:<nobody@here.test>\r\n"
            b"RCPT TO:<alice@here.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n"
        )
        for code in ("250", "250", "550 5.1.1", "250", "550 5.7.1", "354"):
            assert (await client.reply()).startswith(code)
        client.write(b"A: b\r\n\r\n.\r\nQUIT\r\n")
        for code in ("250", "221"):
            assert (await client.reply()).startswith(code)
        assert world.courier.users() == ["alice@here.test"]


async def test_s3_1_no_valid_recipient_and_data_is_not_read_as_mail(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"MAIL FROM:<>\r\nRCPT TO:<nobody@here.test>\r\nDATA\r\nRSET\r\n")
        for code in ("250", "550", "503", "250"):
            assert (await client.reply()).startswith(code)


async def test_two_messages_in_one_packet(tmp_path: Path) -> None:
    one = b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nA: b\r\n\r\n.\r\n"
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(one * 2 + b"QUIT\r\n")
        for code in ("250", "250", "354", "250") * 2 + ("221",):
            assert (await client.reply()).startswith(code)
        assert len(world.courier.delivered) == 2
