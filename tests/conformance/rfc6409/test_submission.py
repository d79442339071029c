"""RFC 6409: submission."""

from __future__ import annotations

import email
import re
from pathlib import Path

import pytest

from mailnode.intake.service import Role
from mailnode.runtime.maillog import Event
from tests.support.smtp_world import running


async def test_s4_3_login_first(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.hello()
        await client.start_tls()
        await client.dialog(
            """
            C: EHLO c
            S: 250
            C: MAIL FROM:<alice@here.test>
            S: 530 5.7.0 authentication required
            C: RCPT TO:<bob@here.test>
            S: 530
            C: DATA
            S: 530
            """
        )


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        ("<alice@here.test>", "250"),
        ("<ALICE@here.test>", "250"),
        ("<team@here.test>", "250"),
        ("<mixed@here.test>", "250"),
        ("<>", "250"),
        ("<bob@here.test>", "550 5.7.1"),
        ("<away@here.test>", "550 5.7.1"),
        ("<nobody@here.test>", "550 5.7.1"),
        ("<x@far.test>", "550 5.7.1"),
        ("<alice>", "550 5.1.7"),
        ("<gone@here.test>", "451 4.4.3"),
    ],
)
async def test_s6_1_own_senders_only(tmp_path: Path, sender: str, code: str) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        assert (await client.say(f"MAIL FROM:{sender}")).startswith(code)


async def test_remote_recipients_are_refused_clearly(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        await client.dialog(
            """
            C: MAIL FROM:<alice@here.test>
            S: 250
            C: RCPT TO:<x@far.test>
            S: 550 5.7.1 sending to other domains is not available on this server yet
            C: RCPT TO:<bob@here.test>
            S: 250
            """
        )


async def test_s8_what_is_missing_is_added(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        start = b"MAIL FROM:<alice@here.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\n"
        client.write(start + b"Subject: x\r\n\r\nbody\r\n.\r\n")
        for code in ("250", "250", "354", "250"):
            assert (await client.reply()).startswith(code)
        added = email.message_from_bytes(world.courier.content)
        assert added["From"] == "alice@here.test"
        assert added["Date"]
        assert added["Message-ID"].endswith("@mx.here.test>")
        assert "with ESMTPSA id" in added["Received"]
        client.write(start + b"from: x@y\r\ndate: now\r\nmessage-id: <1@2>\r\n\r\n.\r\n")
        for code in ("250", "250", "354", "250"):
            assert (await client.reply()).startswith(code)
        kept = email.message_from_bytes(world.courier.content)
        assert (len(kept.get_all("From")), kept["Message-ID"]) == (1, "<1@2>")
        told = [event["message_id"] for event in world.events(Event.ACCEPTED)]
        assert told == [added["Message-ID"], "<1@2>"]


async def test_s4_2_domains_are_whole_ones(tmp_path: Path) -> None:
    """And 5.1: what is no address is refused where it is named."""
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        await client.dialog(
            """
            C: MAIL FROM:<alice>
            S: 550 5.1.7
            C: MAIL FROM:<alice@here>
            S: 550 5.7.1
            C: MAIL FROM:<alice@here.test>
            S: 250
            C: RCPT TO:<bob>
            S: 553 5.1.3
            C: RCPT TO:<bob@here>
            S: 550
            C: RCPT TO:<b b@here.test>
            S: 501 5.1.3
            C: RCPT TO:<nobody@here.test>
            S: 550 5.1.1
            C: RCPT TO:<postmaster>
            S: 250
            C: DATA
            S: 354
            """
        )


async def test_s7_extensions(tmp_path: Path) -> None:
    """What an MSA has to have, and ETRN, which it may not have."""
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        offered = await client.say("EHLO client.test")
        for name in ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SIZE", "AUTH"):
            assert re.search(rf"^250.{name}\b", offered, re.M), offered
        assert "ETRN" not in offered
        assert (await client.say("ETRN here.test")).startswith("500 5.5.1")
