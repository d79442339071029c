"""A client that ends its side after its commands has all its replies before the connection ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from mailnode.access import door
from tests.support.imap_server import ImapServer, imap_server, message
from tests.support.pop3_server import Pop3Server, pop3_server

LOGIN = b"USER user1\r\nPASS secret\r\n"
WAIT_S = 30.0


@pytest.fixture
def pop3() -> Iterator[Pop3Server]:
    with pop3_server() as server:
        yield server


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with imap_server() as server:
        yield server


def said(address: tuple[str, int], commands: bytes) -> bytes:
    """All that comes back for commands with the end of the client's side right behind them."""
    with closing(socket.create_connection(address, WAIT_S)) as client:
        client.sendall(commands)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while data := client.recv(65536):
            got += data
        return got


def gone(server: ImapServer | Pop3Server) -> bool:
    """Wait until no connection is left."""
    until = time.monotonic() + WAIT_S
    while server.service.session_count() and time.monotonic() < until:
        time.sleep(0.01)
    return server.service.session_count() == 0


def test_pop3_answers_what_was_asked(pop3: Pop3Server) -> None:
    pop3.deliver(b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\n" + b"x" * 70 + b"\r\n")
    got = said(pop3.address, LOGIN + b"STAT\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n")
    assert got.count(b"\r\n+OK") == 6
    assert b"x" * 70 in got
    assert b"-ERR" not in got
    assert said(pop3.address, LOGIN + b"STAT\r\nQUIT\r\n").count(b"\r\n+OK 1 ") == 2


def test_pop3_deletes_nothing_without_quit(pop3: Pop3Server) -> None:
    # RFC 1939 6: only QUIT enters the UPDATE state.
    pop3.deliver(b"Subject: one\r\n\r\nfirst\r\n")
    assert said(pop3.address, LOGIN + b"DELE 1\r\n").count(b"+OK") == 4
    assert b"+OK 1 " in said(pop3.address, LOGIN + b"STAT\r\nQUIT\r\n")


def test_pop3_a_large_message_goes_out_whole(pop3: Pop3Server) -> None:
    pop3.deliver(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 500_000)
    got = said(pop3.address, LOGIN + b"RETR 1\r\nQUIT\r\n")
    assert got.count(b"0123456789abcdef\r\n") == 500_000
    assert b"\r\n.\r\n+OK" in got


def test_imap_answers_what_was_asked(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    commands = b"a LOGIN user1 secret\r\nb SELECT INBOX\r\nc FETCH 1:2 BODY[]\r\nd LOGOUT\r\n"
    got = said(imap.address, commands)
    assert got.count(b"BODY[]") == 2
    assert b"* BYE" in got
    assert b"\r\nd OK" in got
    assert got.endswith(b"\r\n")


def test_imap_what_is_not_whole_is_dropped(imap: ImapServer) -> None:
    got = said(imap.address, b"a LOGIN user1 secret\r\nb APPEND INBOX {100+}\r\nFrom: ann")
    assert b"\r\na OK" in got
    assert b"\r\nb " not in got
    assert gone(imap)


@pytest.mark.parametrize("waits", [b"b IDLE\r\n", b"b NOOP\r\n", b"b SELECT INBOX\r\nc IDLE\r\n"])
def test_imap_who_waits_for_more_does_not_stay(imap: ImapServer, waits: bytes) -> None:
    got = said(imap.address, b"a LOGIN user1 secret\r\n" + waits)
    assert b"\r\na OK" in got
    assert gone(imap)


@pytest.mark.parametrize(
    "start",
    [b"a AUTHENTICATE PLAIN\r\n", b"a LOGIN {5}\r\n", b"a STARTTLS\r\n", b"", b"a"],
)
def test_imap_a_stranger_who_waits_for_more_does_not_stay(imap: ImapServer, start: bytes) -> None:
    assert said(imap.address, start).startswith(b"* OK")
    assert gone(imap)


@pytest.mark.parametrize("start", [b"AUTH PLAIN\r\n", b"STLS\r\n", b"", b"USER"])
def test_pop3_a_stranger_who_waits_for_more_does_not_stay(pop3: Pop3Server, start: bytes) -> None:
    assert said(pop3.address, start).startswith(b"+OK")
    assert gone(pop3)


def test_who_does_not_read_is_not_waited_for(
    pop3: Pop3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HALF_CLOSED_S", 0.5)
    pop3.deliver(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 1_000_000)
    with closing(socket.create_connection(pop3.address, WAIT_S)) as client:
        client.sendall(LOGIN + b"RETR 1\r\nQUIT\r\n")
        client.shutdown(socket.SHUT_WR)
        assert gone(pop3)
