"""The session over real sockets: dialog, reading, TLS, limits, clock."""

from __future__ import annotations

import asyncio
import email
import gc
import smtplib
import socket
from asyncio.sslproto import SSLProtocol
from pathlib import Path

import pytest

from mailnode.intake.service import Role, peer_key
from mailnode.intake.session import SmtpSession
from mailnode.runtime.maillog import Event
from tests.support.smtp_world import FULL, LATER, World, client_context, running

MAIL = "MAIL FROM:<s@far.test>"
RCPT = "RCPT TO:<alice@here.test>"


async def test_a_message(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.dialog(
            f"""
            C: {MAIL}
            S: 250 2.1.0
            C: {RCPT}
            S: 250 2.1.5
            C: DATA
            S: 354
            C: Subject: x
            C:
            C: ..stuffed
            C: .
            S: 250 2.0.0 accepted as
            C: QUIT
            S: 221 2.0.0
            """
        )
        assert await client.at_end()
        message = email.message_from_bytes(world.courier.content)
        assert message["Subject"] == "x"
        assert message["Received"].startswith("from client.test ([127.0.0.1])")
        assert "for <alice@here.test>" in message["Received"]
        assert world.courier.content.endswith(b"\r\n\r\n.stuffed\r\n")
        assert world.events(Event.ACCEPTED)[0]["queue_id"] == world.courier.envelope.queue_id


async def test_pipelined_in_one_write_and_byte_by_byte(tmp_path: Path) -> None:
    lines = [
        b"EHLO c.test", MAIL.encode(), RCPT.encode(), b"RCPT TO:<nobody@here.test>",
        b"RCPT TO:<bob@here.test>", b"DATA", b"Subject: p", b"", b"body", b".", b"NOOP", b"QUIT",
    ]  # fmt: skip
    stream = b"\r\n".join(lines) + b"\r\n"
    want = ["250", "250", "250", "550", "250", "354", "250", "250", "221"]
    async with running(tmp_path) as world:
        for step in (len(stream), 1, 7):
            client = await world.connect()
            for at in range(0, len(stream), step):
                client.write(stream[at : at + step])
                if step < len(stream):
                    await asyncio.sleep(0)
            assert [(await client.reply())[:3] for _ in want] == want
            assert await client.at_end()
        assert world.courier.users() == ["alice@here.test", "bob@here.test"] * 3


async def test_half_closed_client_gets_its_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.connect()
        client.write(f"HELO c\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\nA: b\r\n\r\n.\r\n")
        client.writer.write_eof()
        assert [(await client.reply())[:3] for _ in range(5)] == ["250", "250", "250", "354", "250"]
        assert await client.at_end()
        assert world.courier.users() == ["alice@here.test"]


async def test_many_pipelined_replies_do_not_starve(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"NOOP\r\n" * 5000)
        for _ in range(5000):
            assert (await client.reply()).startswith("250")


@pytest.mark.parametrize("role", [Role.MX, Role.SUBMISSION, Role.LMTP])
async def test_keywords(tmp_path: Path, role: Role) -> None:
    word = "LHLO" if role is Role.LMTP else "EHLO"
    async with running(tmp_path, role) as world:
        client = await world.connect()
        plain = set((await client.say(f"{word} c")).replace("250-", "250 ").split("\n"))
        assert {"250 PIPELINING", "250 SIZE 52428800", "250 8BITMIME", "250 SMTPUTF8"} <= plain
        assert {"250 ENHANCEDSTATUSCODES", "250 CHUNKING", "250 DSN", "250 STARTTLS"} <= plain
        assert "250 LIMITS RCPTMAX=1000 MAILMAX=10000" in plain
        assert not any("AUTH" in line or "REQUIRETLS" in line for line in plain)
        await client.start_tls()
        assert (await client.say("MAIL FROM:<a@b.test>")).startswith("503 5.5.1")
        secret = set((await client.say(f"{word} c")).replace("250-", "250 ").split("\n"))
        assert "250 STARTTLS" not in secret
        assert ("250 AUTH PLAIN LOGIN" in secret) is (role is Role.SUBMISSION)
        assert ("250 REQUIRETLS" in secret) is (role is not Role.LMTP)
        assert (await client.say("STARTTLS")).startswith("503")


def _sessions() -> list[object]:
    """What the server still holds of TLS connections and their sessions."""
    found = [one for one in gc.get_objects() if isinstance(one, (SSLProtocol, SmtpSession))]
    return [one for one in found if isinstance(one, SmtpSession) or one._server_side]  # type: ignore[attr-defined]


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("abrupt", [True, False])
async def test_what_ended_is_freed_without_a_search_for_garbage(
    tmp_path: Path, implicit: bool, abrupt: bool
) -> None:
    """Such a search is seldom, and TLS has a quarter of a MiB for each connection."""
    async with running(tmp_path, Role.SUBMISSION, implicit_tls=implicit) as world:
        gc.collect()
        gc.disable()
        try:
            before = len(_sessions())
            for _ in range(3):
                client = await world.hello(tls=implicit)
                if not implicit:
                    await client.start_tls()
                    await client.say("EHLO c")
                if abrupt:
                    client.writer.transport.abort()
                else:
                    await client.say("QUIT")
                    assert await client.at_end()
            async with asyncio.timeout(30):
                while len(_sessions()) > before:
                    await asyncio.sleep(0.05)
        finally:
            gc.enable()


async def test_implicit_tls(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION, implicit_tls=True) as world:
        client = await world.hello(tls=True)
        got = await client.say("AUTH PLAIN AGFsaWNlQGhlcmUudGVzdABzZWNyZXQ=")
        assert got.startswith("235 2.7.0")
        assert world.gate.logins[0][4] is True


async def test_many_handshakes_at_once_whoever_speaks_first(tmp_path: Path) -> None:
    # With implicit TLS the client's first bytes may be there before the server looks: none may
    # be lost to the plain-text reader.
    async with running(tmp_path, implicit_tls=True) as world:

        async def one() -> None:
            client = await world.hello(tls=True)
            await client.dialog("C: NOOP\nS: 250\nC: QUIT\nS: 221")

        async with asyncio.timeout(20):
            await asyncio.gather(*(one() for _ in range(40)))


async def test_a_failed_handshake_ends_quietly(tmp_path: Path) -> None:
    async with running(tmp_path, implicit_tls=True) as world:
        client = await world.connect(greeting="")
        client.write(b"EHLO x\r\n" * 10)
        await client.reader.read()
        assert world.service.session_count() == 0 or await client.at_end()


async def test_long_lines_are_refused_in_step(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        assert (await client.say("NOOP " + "x" * 5000)).startswith("500 5.5.6")
        assert (await client.say("NOOP " + "x" * 50_000)).startswith("500 5.5.6")
        assert (await client.say("NOOP")).startswith("250")
        client.write(b"y" * 2_000_000)
        assert (await client.reply()).startswith("500")
        assert await client.at_end()


async def test_too_many_errors(tmp_path: Path) -> None:
    async with running(tmp_path, max_errors=3) as world:
        client = await world.hello()
        assert (await client.say("FOO")).startswith("500 5.5.1")
        assert (await client.say("BAR")).startswith("500")
        assert (await client.say("BAZ")).startswith("500")
        assert (await client.reply()).startswith("421 4.7.0")
        assert await client.at_end()


async def test_silence_and_slow_messages_end(tmp_path: Path) -> None:
    async with running(tmp_path, command_timeout_s=0.1) as world:
        client = await world.connect()
        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.at_end()
    assert world.events(Event.DISCONNECTED)[0]["reason"] == "timeout, closing connection"
    async with running(tmp_path, data_timeout_s=0.1) as world:
        client = await world.hello()
        client.write(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        assert (await client.reply()).startswith("421 4.4.2")
    async with running(tmp_path, message_timeout_s=0.2) as world:
        client = await world.hello()
        client.write(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        feed = asyncio.create_task(_drip(client.writer))
        assert (await client.reply()).startswith("421 4.4.2")
        feed.cancel()


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.01)


async def test_connection_limits(tmp_path: Path) -> None:
    async with running(tmp_path, max_connections=1) as world:
        await world.hello()
        second = await world.connect(greeting="421 4.3.2")
        assert await second.at_end()


def test_what_counts_as_one_peer() -> None:
    assert peer_key("127.0.0.1") == peer_key("::1") == peer_key("") == ""
    assert peer_key("192.0.2.1") == "192.0.2.1"
    assert peer_key("2001:db8::1") == peer_key("2001:db8::ffff")
    assert peer_key("2001:db8::1") != peer_key("2001:db8:0:1::1")


async def test_a_fault_before_the_greeting_leaves_no_silent_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(transport: asyncio.BaseTransport) -> None:
        raise ImportError("half-written module")

    async with running(tmp_path) as world:
        world.faults_expected = True
        monkeypatch.setattr("mailnode.intake.session.send_at_once", broken)
        client = await world.connect(greeting="")
        assert await client.at_end()
        assert "half-written" in str(world.events(Event.ERROR)[0]["cause"])
        monkeypatch.undo()
        await world.hello()


async def test_early_talker_is_turned_away(tmp_path: Path) -> None:
    async with running(tmp_path, greeting_delay_s=0.05) as world:
        client = await world.connect(greeting="")
        client.write(b"EHLO spam\r\n")
        assert (await client.reply()).startswith("554 5.5.1")
        assert await client.at_end()


async def test_drain(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        idle, busy = await world.hello(), await world.hello()
        await busy.dialog(f"C: {MAIL}\nS: 250\nC: {RCPT}\nS: 250\nC: DATA\nS: 354")
        draining = asyncio.create_task(world.service.drain(5))
        assert (await idle.reply()).startswith("421 4.3.2")
        busy.write(b"A: b\r\n\r\n.\r\n")
        assert (await busy.reply()).startswith("250 2.0.0")
        assert (await busy.reply()).startswith("421 4.3.2")
        await draining
        assert world.service.session_count() == 0


async def test_drain_gives_up_in_time(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.dialog(f"C: {MAIL}\nS: 250")
        began = asyncio.get_running_loop().time()
        await world.service.drain(0.3)
        assert asyncio.get_running_loop().time() - began < 2
        assert world.service.session_count() == 0


async def test_large_messages_go_to_a_file_and_come_back_whole(tmp_path: Path) -> None:
    body = b"".join(b"%08d %s\r\n" % (n, b"x" * 60) for n in range(40_000))
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + b"Subject: big\r\n\r\n" + body)
        client.write(b".\r\n")
        for code in ("250", "250", "354", "250"):
            assert (await client.reply()).startswith(code)
        assert world.courier.content.endswith(b"\r\n\r\n" + body)


async def test_too_large_is_told_after_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, max_message_bytes=65_536) as world:
        client = await world.hello()
        assert (await client.say(MAIL + " SIZE=70000")).startswith("552 5.3.4")
        client.write(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + b"x" * 60 + b"\r\n")
        client.write((b"y" * 70 + b"\r\n") * 1000 + b".\r\nNOOP\r\n")
        for code in ("250", "250", "354", "552 5.3.4", "250"):
            assert (await client.reply()).startswith(code)
        assert not world.courier.delivered


async def test_no_memory_for_the_temporary_file(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")
    async with running(tmp_path, temp_folder=missing) as world:
        client = await world.hello()
        client.write(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + (b"y" * 70 + b"\r\n") * 9000)
        client.write(b".\r\nNOOP\r\n")
        for code in ("250", "250", "354", "45", "250"):
            assert (got := await client.reply()).startswith(code)
            assert missing not in got
        assert not world.courier.delivered


@pytest.mark.parametrize("user", ["gone", "broken"])
async def test_unknown_state_is_temporary_and_tells_nothing(tmp_path: Path, user: str) -> None:
    async with running(tmp_path) as world:
        world.faults_expected = True
        client = await world.hello()
        await client.say(MAIL)
        got = await client.say(f"RCPT TO:<{user}@here.test>")
        assert got.startswith("451 4.")
        assert "secret" not in got


async def test_partial_failure_is_owed_and_full_failure_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.courier.answers["bob@here.test"] = LATER
        assert (await _send(world, "alice@here.test", "bob@here.test")).startswith("250")
        assert world.courier.users() == ["alice@here.test"]
        ((queue_id),) = world.spool.ids("active")
        peeked = world.spool.peek(queue_id)
        assert peeked is not None
        assert [debt.user for debt in peeked[1].state.debts] == ["bob@here.test"]
        assert (await _send(world, "bob@here.test")).startswith("451 4.3.0")
        world.courier.answers["bob@here.test"] = FULL
        assert (await _send(world, "bob@here.test")).startswith("452 4.2.2")
        assert (await _send(world, "team@here.test")).startswith("250")
        assert len(world.spool.ids("active")) == 2


async def _send(world: World, *recipients: str, head: str = "A: b") -> str:
    client = await world.hello()
    rcpt = "".join(f"RCPT TO:<{one}>\r\n" for one in recipients)
    client.write(f"{MAIL}\r\n{rcpt}DATA\r\n{head}\r\n\r\n.\r\n")
    for _ in range(len(recipients) + 2):
        await client.reply()
    return await client.reply()


async def test_one_copy_per_mailbox(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        assert (await _send(world, "team@here.test", "alice@here.test")).startswith("250")
        assert sorted(world.courier.users()) == ["alice@here.test", "bob@here.test"]


async def test_loops(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        hops = "\r\n".join(["Received: x"] * 100)
        assert (await _send(world, "alice@here.test", head=hops)).startswith("554 5.4.6")
        own = "Delivered-To: Alice@here.test"
        assert (await _send(world, "alice@here.test", head=own)).startswith("554 5.4.6")
        both = await _send(world, "alice@here.test", "bob@here.test", head=own)
        assert both.startswith("250")
        assert world.courier.users() == ["bob@here.test"]
        assert len(world.spool.ids("held")) == 1


async def test_a_headerless_message_keeps_its_text(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        assert (await _send(world, "alice@here.test", head="just words")).startswith("250")
        message = email.message_from_bytes(world.courier.content)
        assert message.get_payload().startswith("just words")


async def test_room_is_asked_at_rcpt(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.courier.rooms["bob@here.test"] = LATER
        client = await world.hello()
        await client.say(MAIL)
        assert (await client.say("RCPT TO:<bob@here.test>")).startswith("451")
        assert (await client.say("RCPT TO:<team@here.test>")).startswith("250")


async def test_smtplib(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:

        def session() -> dict[str, tuple[int, bytes]]:
            with smtplib.SMTP("127.0.0.1", world.port) as smtp:
                smtp.starttls(context=client_context())
                smtp.login("alice@here.test", "secret")
                to = ["bob@here.test", "nobody@here.test"]
                return smtp.sendmail("alice@here.test", to, "Subject: hi\r\n\r\n.dot\r\n")

        refused = await asyncio.to_thread(session)
        assert list(refused) == ["nobody@here.test"]
        assert world.courier.content.endswith(b"\r\n\r\n.dot\r\n")


async def test_unix_socket_and_ipv6(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        path = str(tmp_path / "lmtp.sock")
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(path)
        unix.listen()
        await world.service.serve(unix, implicit_tls=False)
        reader, writer = await asyncio.open_unix_connection(path)
        assert (await reader.readline()).startswith(b"220 mx.here.test LMTP")
        writer.close()
        await writer.wait_closed()
        six = socket.create_server(("::1", 0), family=socket.AF_INET6)
        await world.service.serve(six, implicit_tls=False)
        reader, writer = await asyncio.open_connection("::1", six.getsockname()[1])
        assert (await reader.readline()).startswith(b"220")
        writer.close()
        await writer.wait_closed()


async def test_connection_lost_anywhere_leaves_nothing(tmp_path: Path) -> None:
    script = f"EHLO c\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\nA: b\r\n\r\nx\r\n".encode()
    async with running(tmp_path) as world:
        for cut in range(0, len(script), 9):
            client = await world.connect()
            client.write(script[:cut])
            client.writer.transport.abort()
        async with asyncio.timeout(5):
            while world.service.session_count():
                await asyncio.sleep(0.01)
        assert not world.courier.delivered
