"""RFC 6531: SMTPUTF8."""

from __future__ import annotations

from pathlib import Path

from tests.support.smtp_world import running


async def test_s3_4_non_ascii_needs_the_parameter(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.dialog(
            """
            C: MAIL FROM:<é@far.test>
            S: 553 5.6.7
            C: MAIL FROM:<s@far.test>
            S: 250
            C: RCPT TO:<jörg@here.test>
            S: 553 5.6.7
            C: RSET
            S: 250
            C: MAIL FROM:<é@bücher.test> SMTPUTF8
            S: 250
            C: RCPT TO:<jörg@here.test>
            S: 250
            C: DATA
            S: 354
            C: Subject: grün
            C:
            C: .
            S: 250
            """
        )
        assert str(world.courier.envelope.sender) == "é@xn--bcher-kva.test"
        assert "with UTF8SMTP id" in world.courier.content.decode()
        assert "for <jörg@here.test>" in world.courier.content.decode()


async def test_broken_utf8_is_bad_syntax(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"MAIL FROM:<\xff@far.test> SMTPUTF8\r\n")
        assert (await client.reply()).startswith("501 5.1.7")
