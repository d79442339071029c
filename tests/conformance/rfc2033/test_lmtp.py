"""RFC 2033: LMTP."""

from __future__ import annotations

from pathlib import Path

from mailnode.intake.service import Role
from tests.support.smtp_world import FULL, LATER, running


async def test_s4_1_lhlo_only(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        client = await world.connect()
        await client.dialog(
            """
            C: HELO c
            S: 500
            C: EHLO c
            S: 500
            C: MAIL FROM:<>
            S: 503
            C: LHLO c
            S: 250-mx.here.test
            """
        )


async def test_s4_2_a_reply_for_each_recipient(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        world.courier.answers.update({"bob@here.test": LATER, "full@here.test": FULL})
        client = await world.hello()
        await client.dialog(
            """
            C: MAIL FROM:<s@far.test>
            S: 250
            C: RCPT TO:<alice@here.test>
            S: 250
            C: RCPT TO:<nobody@here.test>
            S: 550 5.1.1
            C: RCPT TO:<bob@here.test>
            S: 250
            C: RCPT TO:<full@here.test>
            S: 250
            C: RCPT TO:<team@here.test>
            S: 250
            C: DATA
            S: 354
            C: Subject: x
            C:
            C: .
            S: 250 2.0.0
            S: 451 4.3.0
            S: 452 4.2.2
            S: 250 2.0.0
            C: QUIT
            S: 221
            """
        )
        # What was refused stays with the client; only team's second copy is owed.
        ((queue_id),) = world.spool.ids("active")
        peeked = world.spool.peek(queue_id)
        assert peeked is not None
        assert [(str(d.recipient), d.user) for d in peeked[1].state.debts] == [
            ("team@here.test", "bob@here.test")
        ]
        assert b"with LMTP id" in world.courier.content


async def test_s4_2_refused_content_is_refused_for_each(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        client = await world.hello()
        client.write(
            b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nRCPT TO:<bob@here.test>\r\n"
            b"DATA\r\nbare\nline\r\n.\r\nNOOP\r\n"
        )
        for code in ("250", "250", "250", "354", "550 5.6.11", "550 5.6.11", "250"):
            assert (await client.reply()).startswith(code)


async def test_s4_2_data_without_recipients(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        client = await world.hello()
        await client.dialog(
            """
            C: MAIL FROM:<>
            S: 250
            C: RCPT TO:<nobody@here.test>
            S: 550
            C: DATA
            S: 503 5.5.1
            """
        )
