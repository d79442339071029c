"""RFC 3207: STARTTLS."""

from __future__ import annotations

from pathlib import Path

from mailnode.intake.service import Role
from tests.support.smtp_world import client_context, running


async def test_s4_2_everything_begins_anew(tmp_path: Path) -> None:
    async with running(tmp_path, Role.MX) as world:
        client = await world.hello()
        await client.dialog("C: MAIL FROM:<s@far.test>\nS: 250")
        await client.start_tls()
        await client.dialog(
            """
            C: RCPT TO:<alice@here.test>
            S: 503
            C: MAIL FROM:<s@far.test>
            S: 503
            C: EHLO c
            S: 250
            C: STARTTLS
            S: 503
            C: MAIL FROM:<s@far.test> REQUIRETLS
            S: 250
            """
        )


async def test_s4_no_argument_and_hello_first(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        await client.dialog(
            """
            C: STARTTLS
            S: 503
            C: EHLO c
            S: 250
            C: STARTTLS now
            S: 501
            C: MAIL FROM:<s@far.test> REQUIRETLS
            S: 555
            """
        )


async def test_s6_nothing_said_in_the_clear_is_obeyed_later(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@far.test>\r\n")
        assert (await client.reply()).startswith("220")
        await client.writer.start_tls(client_context())
        # The first reply belongs to our first command, and the session knows no hello.
        await client.dialog("C: NOOP\nS: 250 2.0.0 ok\nC: MAIL FROM:<s@far.test>\nS: 503")


async def test_plain_text_instead_of_a_handshake(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        assert (await client.say("STARTTLS")).startswith("220")
        client.write(b"EHLO c\r\nNOOP\r\n" * 20)
        rest = await client.reader.read()
        assert b"250" not in rest
