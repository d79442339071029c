"""RFC 5321: commands, order, addresses, relaying."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnode.intake.service import Role
from tests.support.smtp_world import running


async def test_s4_1_4_order_of_commands(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        await client.dialog(
            """
            C: MAIL FROM:<a@far.test>
            S: 503 5.5.1
            C: NOOP
            S: 250 2.0.0
            C: RSET
            S: 250 2.0.0
            C: EHLO
            S: 501 5.5.4
            C: EHLO c.test
            S: 250-mx.here.test
            C: RCPT TO:<alice@here.test>
            S: 503 5.5.1
            C: DATA
            S: 503 5.5.1
            C: MAIL FROM:<a@far.test>
            S: 250 2.1.0
            C: MAIL FROM:<b@far.test>
            S: 503 5.5.1
            C: DATA
            S: 503 5.5.1
            C: RCPT TO:<alice@here.test>
            S: 250 2.1.5
            C: RSET
            S: 250 2.0.0
            C: RCPT TO:<alice@here.test>
            S: 503 5.5.1
            C: MAIL FROM:<a@far.test>
            S: 250
            C: EHLO again.test
            S: 250-
            C: DATA
            S: 503
            C: quit
            S: 221 2.0.0
            """
        )
        assert await client.at_end()


async def test_s4_1_1_commands_and_s4_2_4_replies(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        await client.dialog(
            """
            C: HELO c.test
            S: 250 mx.here.test
            C: VRFY alice
            S: 252 2.1.5
            C: VRFY
            S: 501 5.5.4
            C: EXPN list
            S: 502 5.5.1
            C: HELP
            S: 214 2.0.0
            C: TURN
            S: 500 5.5.1
            C: LHLO c.test
            S: 500 5.5.1
            C: AUTH PLAIN
            S: 500 5.5.1
            C: DATA now
            S: 501 5.5.4
            C: QUIT now
            S: 501 5.5.4
            C: MAIL <a@far.test>
            S: 501
            C: MAIL FROM:a@far.test
            S: 501 5.1.7
            C: MAIL FROM: <a@far.test>
            S: 250
            C: RCPT TO:alice@here.test
            S: 501 5.1.3
            C: rcpt to:<alice@here.test>
            S: 250
            """
        )


async def test_s4_1_1_1_helo_offers_no_extensions(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        await client.dialog(
            """
            C: HELO [192.0.2.1]
            S: 250 mx.here.test
            C: MAIL FROM:<a@far.test> SIZE=1
            S: 555 5.5.4
            """
        )


async def test_s4_1_2_hello_names_are_not_judged(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        for name in ("under_score", "[IPv6:::1]", "localhost", "WIN-ABC", "1.2.3.4"):
            assert (await client.say(f"EHLO {name}")).startswith("250")


@pytest.mark.parametrize(
    "path",
    [
        "<x@far.test>",
        "<X@FAR.TEST>",
        "<x@far.test.>",
        "<@here.test:x@far.test>",
        "<@here.test,@other.test:x@far.test>",
        "<x%far.test@here.test>",
        "<far.test!x@here.test>",
        "<x@[192.0.2.1]>",
        "<x@[127.0.0.1]>",
        "<alice@[IPv6:::1]>",
        '<"x@far.test"@here.test>',
        '<"x@far.test">',
        '<"alice@here.test"@far.test>',
        "<alice@here.test@far.test>",
        "<away@here.test>",
        "<mixed@here.test>",
        "<x>",
        "<>",
    ],
)
@pytest.mark.parametrize("role", [Role.MX, Role.LMTP])
async def test_s7_9_no_form_of_address_is_relayed(tmp_path: Path, path: str, role: Role) -> None:
    async with running(tmp_path, role) as world:
        client = await world.hello()
        await client.say("MAIL FROM:<s@far.test>")
        assert (await client.say(f"RCPT TO:{path}")).startswith("5")
        assert (await client.say("DATA")).startswith("503")


async def test_s7_9_the_reason_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.say("MAIL FROM:<>")
        assert await client.say("RCPT TO:<x@far.test>") == "550 5.7.1 relaying denied"
        assert await client.say("RCPT TO:<x@backup.test>") == (
            "550 5.7.1 sending to other domains is not available on this server yet"
        )
        assert "forwards to another domain" in await client.say("RCPT TO:<mixed@here.test>")


@pytest.mark.parametrize(
    "path",
    [
        "<ALICE@HERE.TEST>",
        "<alice@here.test.>",
        "<@x.test:alice@here.test>",
        '<"alice"@here.test>',
    ],
)
async def test_s4_1_2_other_forms_of_our_addresses(tmp_path: Path, path: str) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.say("MAIL FROM:<>")
        assert (await client.say(f"RCPT TO:{path}")).startswith("250 2.1.5")


async def test_s4_5_1_postmaster_without_domain(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.say("MAIL FROM:<>")
        assert (await client.say("RCPT TO:<Postmaster>")).startswith("250")
        assert (await client.say("RCPT TO:<alice>")).startswith("553 5.1.3")


async def test_s4_5_2_transparency(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(
            b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\n"
            b"A: b\r\n\r\n..\r\n...x\r\n. y\r\n.\r\n"
        )
        for code in ("250", "250", "354", "250"):
            assert (await client.reply()).startswith(code)
        assert world.courier.content.endswith(b"\r\n\r\n.\r\n..x\r\n y\r\n")


async def test_s4_5_3_1_8_too_many_recipients(tmp_path: Path) -> None:
    async with running(tmp_path, max_recipients=100) as world:
        for number in range(101):
            world.router.local(f"u{number}@here.test", "alice@here.test")
        client = await world.hello()
        await client.say("MAIL FROM:<>")
        client.write("".join(f"RCPT TO:<u{n}@here.test>\r\n" for n in range(101)))
        replies = [await client.reply() for _ in range(101)]
        assert all(one.startswith("250") for one in replies[:100])
        assert replies[100].startswith("452 4.5.3")


async def test_s4_4_trace_header(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.start_tls()
        await client.say("EHLO evil\x7f")
        await client.say("EHLO sender.test")
        client.write(b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nA: b\r\n\r\n.\r\n")
        for _ in range(3):
            await client.reply()
        queue_id = (await client.reply()).split()[-1]
        trace = world.courier.content.split(b"\r\nA: b")[0].decode()
        assert trace.startswith(
            "Received: from sender.test ([127.0.0.1])\r\n\tby mx.here.test with "
        )
        # RFC 8314 4.3: behind all other clauses, by its registered name.
        clauses = f"with ESMTPS id {queue_id}\r\n\tfor <alice@here.test>\r\n\ttls TLS_"
        assert clauses in trace


async def test_s3_8_null_sender(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nA: b\r\n\r\n.\r\n")
        for code in ("250", "250", "354", "250"):
            assert (await client.reply()).startswith(code)
        assert world.courier.envelope.sender is None


async def test_s2_3_8_command_lines_end_with_crlf(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"NOOP\nNOOP\r\nNO\rOP\r\nNOOP\x00\r\n")
        for code in ("500 5.5.2", "250", "500 5.5.2", "500 5.5.2"):
            assert (await client.reply()).startswith(code)
