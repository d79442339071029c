"""The service on real sockets: stdlib's imaplib as client, many sessions, rude clients."""

import errno
import imaplib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.access.imap.message_file import FilePart
from mailnode.access.imap.spooling import Spooler
from mailnode.model.errors import StorageGone
from mailnode.runtime.maillog import Event
from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import ImapServer, imap_server, message


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with imap_server() as server:
        yield server


def client(imap: ImapServer) -> imaplib.IMAP4:
    found = imaplib.IMAP4(*imap.address, timeout=10)
    found.login("user1", "secret")
    return found


def until(held: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not held():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_imaplib_goes_through_a_day(imap: ImapServer) -> None:
    with client(imap) as mail:
        assert mail.enable("CONDSTORE")[0] == "OK"
        assert mail.append("INBOX", "(\\Seen)", None, message(1))[0] == "OK"
        assert mail.select()[1] == [b"1"]
        assert mail.fetch("1", "(FLAGS RFC822)")[1][0][1] == message(1)  # type: ignore[index]
        assert mail.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert mail.copy("1", "Trash")[0] == "OK"
        assert mail.expunge() == ("OK", [b"1"])
        assert mail.search(None, "ALL") == ("OK", [b""])
        assert mail.status("Trash", "(MESSAGES)")[1] == [b'"Trash" (MESSAGES 1)']
        assert len(mail.list()[1]) == 6
        assert mail.namespace()[0] == "OK"
        assert mail.close()[0] == "OK"


def test_imaplib_by_starttls() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imap_server(ImapSettings()) as server:
        mail = imaplib.IMAP4(*server.address, timeout=10)
        mail.starttls(context)
        mail.login("user1", "secret")
        assert mail.select()[0] == "OK"
        mail.logout()


def test_sessions_converge(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(20)))

    def worker(number: int) -> None:
        with client(imap) as mail:
            mail.select()
            for step in range(10):
                mail.uid("STORE", str(1 + (number * 7 + step) % 20), "+FLAGS", f"($w{number})")
                if step == 5:
                    mail.uid("STORE", str(number + 1), "+FLAGS", "(\\Deleted)")
                    mail.expunge()

    threads = [threading.Thread(target=worker, args=(number,), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with client(imap) as one, client(imap) as other:
        views = []
        for mail in (one, other):
            mail.select()
            views.append(mail.uid("FETCH", "1:*", "(FLAGS)")[1])
        assert len(views[0]) == 14
        strip = [[line.replace(b" \\Recent", b"") for line in view] for view in views]
        assert strip[0] == strip[1]


def test_client_that_stops_reading_is_left() -> None:
    settings = ImapSettings(plaintext_login=True, write_timeout_s=1)
    with imap_server(settings) as server:
        server.deliver(*(message(n, "x" * 200_000) for n in range(30)))
        rude = socket.socket()
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        rude.connect(server.address)
        rude.sendall(b"a LOGIN user1 secret\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n")
        until(lambda: any(link._blocked_at for link in server.service._links))
        server.thread.call(sweep_later, server)
        until(lambda: server.service.session_count() == 0)
        reasons = [fields["reason"] for what, fields in server.log.events if "reason" in fields]
        assert reasons == ["client does not read"]
        rude.close()


def sweep_later(server: ImapServer) -> None:
    for link in list(server.service._links):
        link.sweep(server.service._means.clock.monotonic() + 100)


def test_half_a_literal_then_gone(imap: ImapServer) -> None:
    rude = socket.create_connection(imap.address)
    rude.sendall(b"a LOGIN user1 secret\r\nb APPEND INBOX {500000}\r\n" + b"x" * 300_000)
    until(lambda: bool(imap.gate.seen))
    rude.close()
    until(lambda: imap.service.session_count() == 0)
    imap.play('C: a STATUS INBOX (MESSAGES)\nS: * STATUS "INBOX" (MESSAGES 0)\nS: a OK')


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100_000,
        b"\r\n" * 1000,
        b"(" * 100_000 + b"\r\n",
        b"a FETCH 1 " + b"(" * 10_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"a {99999999999999999999}\r\n",
        bytes(range(256)) * 300,
    ],
)
def test_garbage_is_survived(imap: ImapServer, garbage: bytes) -> None:
    rude = socket.create_connection(imap.address, 5)
    try:
        rude.sendall(garbage)
        rude.shutdown(socket.SHUT_WR)
        while rude.recv(65536):
            pass
    except OSError:
        pass
    rude.close()
    imap.play("C: a NOOP\nS: a OK")
    assert not [fields for what, fields in imap.log.events if what is Event.ERROR]


def test_long_pipeline(imap: ImapServer) -> None:
    lines = 20_000
    sock = socket.create_connection(imap.address, 10)
    sender = threading.Thread(
        target=sock.sendall,
        args=(b"l LOGIN user1 secret\r\n" + b"n NOOP\r\n" * lines + b"z LOGOUT\r\n",),
        daemon=True,
    )
    sender.start()
    received = b""
    while data := sock.recv(1 << 20):
        received += data
    sender.join(5)
    sock.close()
    assert received.count(b"n OK") == lines
    assert b"z OK" in received


def test_drain_says_bye_and_stops_accepting(imap: ImapServer) -> None:
    dialog = imap.play("C: a SELECT INBOX\n...\nS: a OK")
    imap.thread.run(imap.service.drain(2.0))
    dialog.play("S: * BYE [UNAVAILABLE]\nCLOSED:")
    assert imap.service.session_count() == 0


LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 200_000


def test_large_message_streams_from_its_file(imap: ImapServer) -> None:
    imap.deliver(LARGE)
    with client(imap) as mail:
        mail.select()
        answer = mail.fetch("1", "(UID BODY.PEEK[])")[1]
        assert answer[0][1] == LARGE  # type: ignore[index]
        assert mail.noop()[0] == "OK"


def test_storage_that_fails_within_a_literal_cuts_the_connection(
    imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.deliver(LARGE)

    def broken(part: FilePart) -> Iterator[bytes]:
        yield b"x" * 1000
        raise StorageGone("EIO")

    monkeypatch.setattr(FilePart, "pieces", broken)
    dialog = imap.play("C: a SELECT INBOX\n...\nS: a OK\nC: b FETCH 1 (BODY.PEEK[])")
    with pytest.raises(AssertionError, match="closed by the server"):
        dialog.client().line()
    until(lambda: imap.service.session_count() == 0)
    reasons = [fields["reason"] for what, fields in imap.log.events if "reason" in fields]
    assert reasons == ["storage failed within a literal"]


def test_no_room_to_spool_is_temporary(imap: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Spooler, "_write", staticmethod(full))
    with client(imap) as mail:
        status, text = mail.append("INBOX", "", None, LARGE)  # type: ignore[arg-type]
        assert (status, text[0][:13]) == ("NO", b"[UNAVAILABLE]")
        assert mail.select()[1] == [b"0"]


def test_spool_folder_that_is_not_there(tmp_path: Path) -> None:
    settings = ImapSettings(plaintext_login=True, spool_dir=tmp_path / "missing")
    with imap_server(settings) as server, client(server) as mail:
        assert mail.append("INBOX", "", None, LARGE)[0] == "NO"  # type: ignore[arg-type]
        assert mail.noop()[0] == "OK"


def test_what_was_put_together_leaves_no_file_open(imap: ImapServer) -> None:
    dialog = imap.play("C: a NOOP\nS: a OK")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        dialog.client().send(b"b APPEND INBOX CATENATE (TEXT {6+}\r\nx: y\r\n)\r\n")
        dialog.play("...\nS: b OK")
    assert len(os.listdir("/proc/self/fd")) < before + 10
