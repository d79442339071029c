"""Hostile bytes on every port of the running server, while others go on using it.

No worker dies, no fault is logged, every connection is answered or closed within its time, and
afterwards the workers have as many files open and as much memory as before.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailnode.runtime.settings.listen import IMPLICIT_TLS
from tests.support.hostile_bytes import Hostility
from tests.support.live_server import SERVICES
from tests.support.peopled_server import (
    PASSWORD,
    PeopledServer,
    open_files,
    peopled,
    rss_kib,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SEED = 20_260
ROUNDS = 10
ITEMS_PER_SERVICE = 16
ANSWER_S = 8.0
SILENCE_S = 2.0
# Silence, the next look at all sessions, and the time that a last word may take.
LEFT_WITHIN_S = SILENCE_S + 5 + 10 + 5
# Memory of a worker may still settle once its caches have filled with what the bystanders read, not
# grow with each round; over 70 rounds it levels off.
FILLED, SETTLING_KIB = 5, 6 * 1024
LIMITS: dict[str, dict[str, object]] = {
    "smtp": {"command_timeout_s": SILENCE_S, "data_timeout_s": SILENCE_S},
    "imap": {"login_timeout_s": SILENCE_S, "write_timeout_s": SILENCE_S},
    "pop3": {"login_timeout_s": SILENCE_S, "write_timeout_s": SILENCE_S},
    # Wrong passwords by the hundred are meant; this test is not about slowing them down.
    "login": {"failure_delay_s": 0, "block_network_after": 10**9, "block_user_after": 10**9},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PeopledServer]:
    """One for each test: what a worker's memory is at rest depends on all that it did before."""
    with peopled(tmp_path, **LIMITS) as server:
        server.send("large", 0, 1, body="large\r\n" * 15_000)
        for number in range(3):
            server.send(f"small {number}", 0, 1)
        yield server
        assert server.faults() == []


@pytest.fixture
def bystanders(server: PeopledServer) -> Iterator[None]:
    """Users who go on sending and reading meanwhile, and must not notice. In the end the workers
    are the same and have let go of every connection."""
    end, times, failed = threading.Event(), list[float](), list[str]()

    def live(number: int) -> None:
        while not end.wait(0.05):
            start = time.monotonic()
            try:
                server.send(f"meanwhile {number}", 1)
                with server.imap(1) as box:
                    assert box.fetch("1", "(FLAGS BODY.PEEK[HEADER])")[0] == "OK"
                server.pop3(1).quit()
            except Exception as error:
                failed.append(repr(error))
            times.append(time.monotonic() - start)

    threads = [threading.Thread(target=live, args=(number,), daemon=True) for number in range(2)]
    workers, files = server.workers(), _files(server)
    for thread in threads:
        thread.start()
    yield
    end.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert failed == []
    assert len(times) > 5
    assert statistics.median(times) < 1.5
    assert max(times) < ANSWER_S
    assert server.workers() == workers
    assert server.faults() == []
    until(lambda: all(now <= then for now, then in zip(_files(server), files, strict=True)))


def _connect(server: PeopledServer, service: str, tls: bool) -> socket.socket:
    sock = server.connect(service)
    sock.settimeout(ANSWER_S)
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


def _attack(server: PeopledServer, service: str, tls: bool, pieces: list[bytes]) -> int:
    """Send, end our side, read what comes until the server ends its own: its bytes."""
    with contextlib.closing(_connect(server, service, tls)) as sock:
        answers = threading.Thread(target=_send, args=(sock, pieces), daemon=True)
        answers.start()
        try:
            return _read_to_end(sock)
        finally:
            answers.join()


def _send(sock: socket.socket, pieces: list[bytes]) -> None:
    # The server may have had enough and closed before we said it all.
    with contextlib.suppress(OSError):
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)


def _read_to_end(sock: socket.socket) -> int:
    count = 0
    try:
        while data := sock.recv(65536):
            assert b"Traceback" not in data
            count += len(data)
    except TimeoutError:
        raise AssertionError("neither answered nor closed") from None
    except OSError:
        pass  # closed with what we sent still unread: a reset
    return count


def _files(server: PeopledServer) -> list[int]:
    """Sockets and pipes of each worker; databases and logs come and go with the work."""
    return [
        sum(name.startswith(("socket:", "pipe:")) for name in open_files(pid))
        for pid in server.workers()
    ]


def _memory(server: PeopledServer) -> list[int]:
    """KiB of each worker at rest; checking a password takes 64 MiB for a moment."""
    samples = []
    for _ in range(30):
        samples.append([rss_kib(pid) for pid in server.workers()])
        time.sleep(0.05)
    return [min(column) for column in zip(*samples, strict=True)]


def test_hostile_bytes_on_every_port(server: PeopledServer, bystanders: None) -> None:
    hostility = Hostility(SEED)
    memory: list[list[int]] = []
    with ThreadPoolExecutor(8) as pool:
        for turn in range(ROUNDS):
            futures = [
                pool.submit(_attack, server, service, tls, hostility.item(service))
                for service in SERVICES
                for tls in (service in IMPLICIT_TLS, False)
                for _ in range(ITEMS_PER_SERVICE // 2)
            ]
            for future in futures:
                future.result()
            if turn in (FILLED, ROUNDS - 1):
                memory.append(_memory(server))
    for before, after in zip(*memory, strict=True):
        assert after - before < SETTLING_KIB, memory


def _half_said(service: str) -> list[list[bytes]]:
    """What a client may say and then fall silent."""
    hello = _client_hello()
    to = b"MAIL FROM:<>\r\nRCPT TO:<user1@example.test>\r\n"
    halves = {
        "smtp": [
            b"EH",
            b"EHLO x\r\n" + to + b"DATA\r\nSubject: ",
            b"EHLO x\r\nSTARTTLS\r\n",
            b"EHLO x\r\n" + to + b"BDAT 1000000\r\nabc",
        ],
        "submission": [b"EHLO x\r\nAUTH LOGIN\r\n", b"EHLO x\r\nSTARTTLS\r\n" + hello[:50]],
        "lmtp": [b"LHLO x\r\n" + to + b"DATA\r\n.", b"LHLO x"],
        "imap": [
            b"a LOG",
            b"a LOGIN {5}\r\nab",
            b"a STARTTLS\r\n",
            b"a AUTHENTICATE PLAIN\r\n",
            b"a STARTTLS\r\n" + hello[:50],
        ],
        "pop3": [b"USER a", b"AUTH PLAIN\r\n", b"STLS\r\n", b"STLS\r\n" + hello[:50]],
    }
    said = [[b""], [b"\x16"], [hello], [hello[:50]], [hello, b"\x16\x03\x03"]]
    return said + [[half] for half in halves.get(service, [])]


def _client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tunnel = context.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tunnel.do_handshake()
    return outgoing.read()


def _fall_silent(server: PeopledServer, service: str, pieces: list[bytes]) -> socket.socket:
    sock = server.connect(service)
    if service not in IMPLICIT_TLS:
        sock.recv(1000)
    for piece in pieces:
        sock.sendall(piece)
    return sock


# Thirty greedy connections: input of 64 KiB, output of as much, a message each; sixty others.
GREED_KIB = 12 * 1024
# States of /proc/net/tcp: ESTABLISHED, CLOSE_WAIT.
_OPEN = ("01", "08")
GREEDY = {
    "smtp": (b"", b"HELP\r\n"),
    "lmtp": (b"LHLO x\r\n", b"HELP\r\n"),
    "imap": (b'a LOGIN "%s" "%s"\r\nb SELECT INBOX\r\n', b"c FETCH 1:* BODY.PEEK[]\r\n"),
    "imaps": (b'a LOGIN "%s" "%s"\r\nb SELECT INBOX\r\n', b"c FETCH 1:* BODY.PEEK[]\r\n"),
    "pop3": (b"USER %s\r\nPASS %s\r\n", b"RETR 1\r\n"),
    "pop3s": (b"USER %s\r\nPASS %s\r\n", b"RETR 1\r\n"),
}


def test_who_falls_silent_or_takes_no_answers_is_left(
    server: PeopledServer, bystanders: None
) -> None:
    # What a worker keeps from the first of each kind is no matter of how many there are.
    for service in GREEDY:
        _be_greedy(server, service).close()
    before = _memory(server)
    with contextlib.ExitStack() as stack:
        clients: list[tuple[str, bytes, socket.socket]] = []
        for service in SERVICES:
            for pieces in _half_said(service):
                sock = stack.enter_context(_fall_silent(server, service, pieces))
                clients.append((service, b"".join(pieces), sock))
        for service in list(GREEDY) * 5:
            sock = stack.enter_context(_be_greedy(server, service))
            clients.append((service, b"greedy", sock))
        during = _memory(server)
        end = time.monotonic() + LEFT_WITHIN_S
        while held := [(service, said) for service, said, sock in clients if _held(sock)]:
            assert time.monotonic() < end, held
            time.sleep(0.1)
    for one, other in zip(before, during, strict=True):
        assert other - one < GREED_KIB, (before, during)


def _be_greedy(server: PeopledServer, service: str) -> socket.socket:
    """Ask and ask and take no answer, until the server takes no more."""
    start, again = GREEDY[service]
    login = server.users[0].encode(), PASSWORD.encode()
    sock = _connect(server, service, service in IMPLICIT_TLS)
    sock.sendall(start % login if b"%" in start else start)
    sock.settimeout(0.2)
    with contextlib.suppress(OSError):
        for _ in range(100):
            sock.sendall(again * 2000)
    return sock


def _held(sock: socket.socket) -> bool:
    """The server has not closed its end of our connection (which we cannot tell by reading)."""
    try:
        ends = f":{sock.getpeername()[1]:04X}", f":{sock.getsockname()[1]:04X}"
    except OSError:
        return False  # reset
    for line in Path("/proc/net/tcp").read_text().splitlines():
        local, remote, state = line.split()[1:4]
        if local.endswith(ends[0]) and remote.endswith(ends[1]):
            return state in _OPEN
    return False


INJECTED = {
    "smtp": (b"EHLO x\r\n", b"STARTTLS\r\nNOOP\r\n", b"QUIT\r\n"),
    "submission": (b"EHLO x\r\n", b"STARTTLS\r\nNOOP\r\n", b"QUIT\r\n"),
    "imap": (b"", b"a STARTTLS\r\nb LIST\r\n", b"c LOGOUT\r\n"),
    "pop3": (b"", b"STLS\r\nNOOP\r\n", b"QUIT\r\n"),
}


@pytest.mark.parametrize("service", INJECTED)
def test_nothing_said_before_tls_is_obeyed_in_it(server: PeopledServer, service: str) -> None:
    hello, injected, last = INJECTED[service]
    with server.connect(service) as plain:
        plain.settimeout(ANSWER_S)
        plain.recv(1000)
        if hello:
            plain.sendall(hello)
            plain.recv(1000)
        plain.sendall(injected)
        assert plain.recv(1000).count(b"\r\n") == 1
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as sock:
            sock.sendall(last)
            answer = b""
            while data := sock.recv(1000):
                answer += data
    # One answer, the one to the last command (IMAP says BYE as well).
    lines = answer.splitlines()
    assert len(lines) == (2 if service == "imap" else 1), answer
    assert lines[-1].startswith((b"221", b"c OK", b"+OK"))


def test_tls_towards_a_port_without_it_fails_at_once(server: PeopledServer) -> None:
    for service in set(SERVICES) - IMPLICIT_TLS:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _connect(server, service, True)
