"""The POP3 service on real sockets: poplib, TLS, large messages, rude clients, draining."""

from __future__ import annotations

import poplib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.access.pop3.connection import Connection
from mailnode.model.errors import StorageFull, StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event
from mailnode.runtime.settings.pop3 import Pop3Settings
from mailnode.wire.mime.downgrade_stream import Downgrader
from tests.support.imap_fixture import maildir_store
from tests.support.pop3_server import Pop3Server, pop3_server

MESSAGE = b"Subject: one\r\n\r\n.first\r\n\r\nlast\r\n"
LARGE = b"Subject: large\r\n\r\n" + (b".%s\r\n" % (b"x" * 75)) * 100_000


def connect(server: Pop3Server, password: str = "secret") -> poplib.POP3:
    client = poplib.POP3(*server.address, timeout=10)
    try:
        client.user("user1")
        client.pass_(password)
    except poplib.error_proto:
        client.close()
        raise
    return client


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does; five seconds at most."""
    waiting = threading.Event()
    for _ in range(500):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came true")


def only_link(server: Pop3Server) -> Connection:
    [link] = server.service._links
    return link


def test_poplib_reads_and_deletes(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE, LARGE)
    client = connect(pop3)
    assert client.stat() == (2, len(MESSAGE) + len(LARGE))
    _, lines, octets = client.retr(1)
    assert b"\r\n".join(lines) + b"\r\n" == MESSAGE
    _, lines, _ = client.retr(2)
    assert b"\r\n".join(lines) + b"\r\n" == LARGE
    assert client.top(2, 3)[1] == LARGE.split(b"\r\n")[:5]
    assert "UIDL" in client.capa()
    client.dele(1)
    client.quit()
    assert len(pop3.uids()) == 1
    assert octets > 0
    events = [fields for event, fields in pop3.log.events if event is Event.EXPUNGED]
    assert events == [{"service": "pop3", "user": "user1", "folder": "INBOX", "count": 1}]


def test_implicit_tls(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = poplib.POP3_SSL(*pop3.tls_address, timeout=10, context=context)
    client.user("user1")
    client.pass_("secret")
    assert client.list()[1] == [b"1 %d" % len(MESSAGE)]
    assert pop3.gate.seen == [("user1", "USER", True)]
    client.quit()


def test_stls_by_poplib() -> None:
    with pop3_server(Pop3Settings()) as server:
        client = poplib.POP3(*server.address, timeout=10)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.stls(context)
        client.user("user1")
        client.pass_("secret")
        assert client.stat() == (0, 0)
        client.quit()


def test_a_handshake_that_never_ends_is_cut_at_the_login_timeout() -> None:
    """Nothing can be said before TLS is there, so there is no goodbye to wait for."""
    with pop3_server(Pop3Settings()) as server:
        client = socket.create_connection(server.address, 10)
        assert client.recv(100).startswith(b"+OK")
        client.sendall(b"STLS\r\n")
        assert client.recv(100).startswith(b"+OK")
        link = only_link(server)
        until(lambda: bool(link._wire._shaking))  # type: ignore[attr-defined]  # of the door

        async def later() -> None:
            link.sweep(SystemClock().monotonic() + Pop3Settings().login_timeout_s + 1)

        server.thread.run(later())
        until(lambda: server.service.session_count() == 0)
        client.close()


def test_sizes_of_a_maildir_with_bare_newlines(tmp_path: Path) -> None:
    """LIST tells the octets that RETR sends, whatever line ends the file has."""
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(MESSAGE)
        [inbox] = {path.parent for path in tmp_path.glob("mail/**/user1/new")}
        (inbox / "new" / "1700000001.M1P1.other").write_bytes(MESSAGE.replace(b"\r\n", b"\n"))
        client = connect(server)
        assert client.list()[1] == [b"%d %d" % (n, len(MESSAGE)) for n in (1, 2)]
        for number in (1, 2):
            assert b"\r\n".join(client.retr(number)[1]) + b"\r\n" == MESSAGE
        client.quit()


def test_fetched_messages_are_seen_after_quit(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE, MESSAGE)
    client = connect(pop3)
    client.retr(1)
    client.top(2, 1)
    client.quit()
    folder = pop3.inbox()
    flags = [Flag(bits) & Flag.SEEN for bits in folder.refresh().flags]
    folder.close()
    assert flags == [Flag.SEEN, Flag(0)]


def test_a_client_that_does_not_read_costs_little(tmp_path: Path) -> None:
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(LARGE)
        client = connect(server)
        client.sock.sendall(b"RETR 1\r\n" * 4)
        until(lambda: bool(only_link(server)._blocked_at))
        transport = only_link(server)._wire.transport  # type: ignore[attr-defined]  # Twisted's
        held = sum(map(len, transport._tempDataBuffer)) + len(transport.dataBuffer)
        assert held < 1 << 20
        # It reads on: nothing was lost.
        for _ in range(4):
            lines = client._getlongresp()[1]  # type: ignore[attr-defined]  # poplib's own reader
            assert b"\r\n".join(lines) + b"\r\n" == LARGE
        client.quit()


def test_a_client_that_never_reads_is_left() -> None:
    settings = Pop3Settings(plaintext_login=True, write_timeout_s=1)
    with pop3_server(settings) as server:
        server.deliver(LARGE)
        client = connect(server)
        client.sock.sendall(b"RETR 1\r\n" * 9)

        def swept() -> bool:
            for link in list(server.service._links):
                server.thread.call(link.sweep, SystemClock().monotonic() + 2)
            return not server.service.session_count()

        until(swept)
        reasons = [fields["reason"] for _, fields in server.log.events if "reason" in fields]
        assert reasons == ["client does not read"]
        client.close()


def test_timeouts() -> None:
    with pop3_server() as server:
        server.deliver(MESSAGE)
        stranger, user = poplib.POP3(*server.address, timeout=5), connect(server)
        user.dele(1)
        now = SystemClock().monotonic()
        for link in list(server.service._links):
            server.thread.call(link.sweep, now + 61)
        with pytest.raises(poplib.error_proto, match="no login in time"):
            stranger.noop()
        user.noop()
        for link in list(server.service._links):
            server.thread.call(link.sweep, now + 700)
        assert user.sock.recv(10) == b""
        assert len(server.uids()) == 1
        stranger.close()
        user.close()


def test_drain_says_so_between_commands() -> None:
    with pop3_server() as server:
        server.deliver(MESSAGE)
        client = connect(server)
        client.dele(1)
        server.thread.run(server.service.drain(5.0))
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            client._getresp()
        assert server.service.session_count() == 0
        assert len(server.uids()) == 1
        client.close()


def turned_away(server: Pop3Server) -> None:
    with socket.create_connection(server.address, 5) as client:
        raise poplib.error_proto(client.recv(1000))


def test_too_many_sessions() -> None:
    settings = Pop3Settings(plaintext_login=True, max_sessions=2, max_sessions_per_user_ip=1)
    with pop3_server(settings) as server:
        first = connect(server)
        with pytest.raises(poplib.error_proto, match="too many connections of this user"):
            connect(server)
        until(lambda: server.service.session_count() == 1)
        second = poplib.POP3(*server.address, timeout=5)
        with pytest.raises(poplib.error_proto, match="too many connections"):
            turned_away(server)
        first.quit()
        second.user("user1")
        second.pass_("secret")
        second.quit()


def test_a_full_or_lost_disk_at_quit() -> None:
    for error in (StorageFull("no space"), StorageGone("/secret gone")):
        with pop3_server() as server:
            server.deliver(MESSAGE)
            client = connect(server)
            client.dele(1)

            def fail(*_: object, error: Exception = error) -> list[int]:
                raise error

            folder = only_link(server).session.drop().folder
            folder.remove = fail  # type: ignore[method-assign]  # the disk fails
            with pytest.raises(poplib.error_proto, match="SYS/TEMP") as caught:
                client.quit()
            assert b"secret" not in caught.value.args[0]
            client.close()
            assert len(server.uids()) == 1
            assert [e for e, _ in server.log.events if e is Event.STORAGE]


def test_a_disk_that_fails_within_a_message_cuts_the_connection() -> None:
    """A client must not take half a message for a whole one."""

    class Failing:
        def __init__(self) -> None:
            self.reads = 0

        def read(self, size: int) -> bytes:
            self.reads += 1
            if self.reads > 1:
                raise OSError(5, "Input/output error")
            return b"x" * size

        def close(self) -> None:
            pass

    with pop3_server() as server:
        server.deliver(LARGE)
        client = connect(server)
        folder = only_link(server).session.drop().folder
        folder.open = lambda uid: Failing()  # type: ignore[assignment,method-assign,return-value]  # the disk fails
        client.sock.sendall(b"RETR 1\r\n")
        got = b""
        try:
            while data := client.sock.recv(65536):
                got += data
        except ConnectionResetError:
            pass
        assert not got.endswith(b".\r\n")
        client.close()


def test_faults_of_ours_are_temporary_and_not_shown() -> None:
    with pop3_server() as server:
        server.deliver(MESSAGE)
        client = connect(server)
        folder = only_link(server).session.drop().folder

        def broken(uid: int) -> bytes:
            raise KeyError("our insides")

        folder.read = broken  # type: ignore[method-assign]  # a fault of ours
        with pytest.raises(poplib.error_proto, match="SYS/TEMP") as caught:
            client.retr(1)
        assert b"insides" not in caught.value.args[0]
        client.noop()
        client.quit()
        assert [f for e, f in server.log.events if e is Event.ERROR]


def test_nonsense_ends_the_connection() -> None:
    with pop3_server(Pop3Settings(plaintext_login=True, max_bad_commands=5)) as server:
        client = socket.create_connection(server.address, 5)
        client.sendall(b"\0\xff\r\n" * 3 + b"x" * 100_000 + b"\r\n" + b"FOO\r\nNOOP\r\n")
        got = b""
        while data := client.recv(65536):
            got += data
        assert got.count(b"-ERR") == 6
        client.close()


def test_messages_that_went_elsewhere_do_not_end_the_session() -> None:
    """However many they are: the client did nothing wrong, and what it marked is to be removed."""
    with pop3_server(Pop3Settings(plaintext_login=True, max_bad_commands=5)) as server:
        uids = server.deliver(*[MESSAGE] * 12)
        client = connect(server)
        client.dele(1)
        folder = server.inbox()
        folder.remove(uids[1:11])
        folder.close()
        for number in range(2, 12):
            with pytest.raises(poplib.error_proto, match="-ERR message no longer exists"):
                client.retr(number)
        assert client.retr(12)[1] == MESSAGE.split(b"\r\n")[:-1]
        client.quit()
        assert server.uids() == uids[11:]


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (b"S: x\r\n\r\nno line end", b"S: x\r\n\r\nno line end\r\n"),
        (b"S: x\r\n\r\nlone\rCR\r.\r\n", b"S: x\r\n\r\nlone\rCR\r.\r\n"),
        (b"S: x\n\nLF\n.\n..\n", b"S: x\r\n\r\nLF\r\n..\r\n...\r\n"),
        (b"S: x\r\n\r\nmixed\n.\r\nCR\r\r\n", b"S: x\r\n\r\nmixed\r\n..\r\nCR\r\r\n"),
        (b".S: x\r\n\r\n\r", b"..S: x\r\n\r\n\r\r\n"),
        (b"S: x", b"S: x\r\n"),
        (b"\0\r\n\r\n\0\xff\r\n", b"\0\r\n\r\n\0\xff\r\n"),
        (b"", b""),
    ],
)
def test_what_other_programs_stored(stored: bytes, sent: bytes, tmp_path: Path) -> None:
    """Whatever its lines end with, and whether the file's name tells the truth about it."""
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(MESSAGE)
        [inbox] = {path.parent for path in tmp_path.glob("mail/**/user1/new")}
        for name in ("1700000001.M1P1.other", "1700000002.M1P1.other,S=9,W=9"):
            (inbox / "new" / name).write_bytes(stored)
        client = connect(server)
        for command in ("RETR 2", "TOP 2 99", "RETR 3", "TOP 3 99"):
            client._putcmd(command)  # type: ignore[attr-defined]  # poplib mends what it reads
            assert client.file.readline().startswith(b"+OK")
            got = b""
            while (line := client.file.readline()) != b".\r\n":
                got += line
            assert got == sent
        client.noop()
        client.quit()


def test_who_only_looks_costs_no_thread(tmp_path: Path) -> None:
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(MESSAGE, MESSAGE)
        connect(server).quit()
        until(lambda: not server.service.session_count())
        ran: list[str] = []
        run = server.pool.run

        async def noted(call: Callable[..., object], *args: object) -> object:
            ran.append(call.__name__)
            return await run(call, *args)

        server.pool.run = noted  # type: ignore[method-assign,assignment]  # to see its use
        client = connect(server)
        assert client.stat()[0] == len(client.list()[1]) == len(client.uidl()[1]) == 2
        client.dele(1)
        client.rset()
        client.quit()
        until(lambda: not server.service.session_count())
        assert ran == ["close"]


def test_hostile_input_leaves_nothing_behind() -> None:
    pieces = [b"\0" * 5000, b"A" * 300_000, b"AUTH PLAIN\r\n" * 50, b"\r\n" * 1000, b"RETR 1\r\n"]
    with pop3_server() as server:
        for piece in pieces:
            with socket.create_connection(server.address, 5) as client:
                client.sendall(piece)
                client.settimeout(0.05)
                try:
                    client.recv(65536)
                except (TimeoutError, ConnectionResetError):
                    pass
        connect(server).quit()
        until(lambda: not server.service.session_count())
        assert not [f for e, f in server.log.events if e is Event.ERROR]


def test_passwords_are_not_logged(pop3: Pop3Server) -> None:
    with pytest.raises(poplib.error_proto):
        connect(pop3, "Tr0ub4dor")
    assert "Tr0ub4dor" not in repr(pop3.log.events)


def test_other_uidl_formats() -> None:
    with pop3_server(Pop3Settings(plaintext_login=True, uidl_format="UID%u-%v")) as server:
        [uid] = server.deliver(MESSAGE)
        client = connect(server)
        assert client.uidl()[1][0].startswith(b"1 UID%d-" % uid)
        client.quit()


@pytest.mark.parametrize("text", ["", "%v", "a b%u", "%q%u", "%"])
def test_settings_refuse_formats_that_name_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="uidl_format"):
        Pop3Settings(uidl_format=text)


def test_a_large_maildrop_is_listed_whole() -> None:
    with pop3_server() as server:
        server.deliver(*[MESSAGE] * 4500)
        client = connect(server)
        assert len(client.list()[1]) == 4500
        client.dele(2)
        assert [line.split()[0] for line in client.uidl()[1][:2]] == [b"1", b"3"]
        client.rset()
        assert client.stat()[0] == 4500
        client.quit()


def test_headers_are_made_ascii_in_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take a while, and all other sessions would wait for it."""
    where: list[str] = []

    class Noted(Downgrader):
        def feed(self, piece: bytes) -> bytes:
            where.append(threading.current_thread().name)
            return super().feed(piece)

        def finish(self) -> bytes:
            where.append(threading.current_thread().name)
            return super().finish()

    monkeypatch.setattr("mailnode.access.pop3.transaction.Downgrader", Noted)
    with pop3_server() as server:
        server.deliver("Subject: \u00fc\r\n\r\n".encode() + b"x\r\n" * 30_000)
        client = connect(server)
        assert client.retr(1)[1][0] == b"Subject: =?utf-8?b?w7w=?="
        client.quit()
    assert len(where) == 3
    assert all(name.startswith("pop3-test") for name in where), where


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize(
    ("message", "in_pool"),
    [
        (MESSAGE, False),
        ("Content-type: TEXT/plain; charset=utf-8\r\n\r\n\u00fcber\r\n".encode(), False),
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\u00fc\r\n".encode(), True),
        ("Subject: \u00fc\r\n\r\n".encode(), True),
        (b"Subject: large\r\n\r\n" + b"x\r\n" * 30_000, True),
    ],
)
def test_a_small_message_costs_no_thread(
    message: bytes, in_pool: bool, utf8: bool, tmp_path: Path
) -> None:
    where: list[str] = []
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(message)
        if read_at_hand_is_not_to_be_had(tmp_path):
            pytest.skip("this file system cannot tell what lies in memory")
        client = poplib.POP3(*server.address, timeout=10)
        if utf8:
            client.utf8()
        client.user("user1")
        client.pass_("secret")
        folder = only_link(server).session.drop().folder
        found = folder._found  # type: ignore[attr-defined]  # of the real store

        def noted(uid: int) -> tuple[int, bytes]:
            where.append(threading.current_thread().name)
            return found(uid)

        folder._found = noted  # type: ignore[attr-defined]  # to see the thread
        client.retr(1)
        client.quit()
    expected = in_pool and not (utf8 and len(message) < 65536)
    assert where[-1].startswith("pop3-test") is expected, where


def read_at_hand_is_not_to_be_had(folder: Path) -> bool:
    """Whether the kernel does not say at once that a file just written lies in memory."""
    probe = folder / "probe"
    probe.write_bytes(b"x")
    with probe.open("rb") as file:
        return files.read_at_hand(file.fileno()) is None


@pytest.mark.parametrize("size", [65535, 65536, 65537])
def test_a_message_of_another_size_than_its_name_tells_comes_whole(
    size: int, tmp_path: Path
) -> None:
    """Another program wrote the name; small by it, a message may be as large as a piece."""
    with pop3_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(MESSAGE)
        [inbox] = {path.parent for path in tmp_path.glob("mail/**/user1/new")}
        message = (b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 1000)[: size - 2] + b"\r\n"
        (inbox / "new" / "1700000001.M1P1.other,S=60,W=60").write_bytes(message)
        client = connect(server)
        assert b"\r\n".join(client.retr(2)[1]) + b"\r\n" == message
        assert client.retr(1)[1] == MESSAGE.split(b"\r\n")[:-1]
        client.quit()
