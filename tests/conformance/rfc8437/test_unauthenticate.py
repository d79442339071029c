"""RFC 8437: UNAUTHENTICATE."""

import zlib
from typing import Any

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.conformance.rfc4978.test_compress import compressed
from tests.support.imap_server import ImapServer, imap_server, message


def test_s3_another_user_on_the_same_connection(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.deliver(message(1), message(2), user="user2")
    imap.play(
        r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STORE 1 +FLAGS.SILENT \Deleted
        S: b OK
        C: c UNAUTHENTICATE
        S: c OK
        C: d NOOP
        S: d OK
        C: e SELECT INBOX
        S: e BAD
        C: f CAPABILITY
        S~ \* CAPABILITY (?!.*UNAUTHENTICATE).*AUTH=PLAIN
        S: f OK
        C: g LOGIN user2 secret
        S: g OK
        C: h STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 2)
        S: h OK
        C: i FETCH 1 FLAGS
        S: i BAD
        C2: a STATUS INBOX (MESSAGES)
        S2: * STATUS "INBOX" (MESSAGES 1)
        """
    )


def test_s3_login_may_be_pipelined(imap: ImapServer) -> None:
    imap.play(
        r"""
        C+ a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN AHVzZXIyAHNlY3JldA==\r\nc NOOP\r\n
        S: a OK
        S: b OK
        S: c OK
        """
    )


def test_s3_only_after_login(imap: ImapServer) -> None:
    imap.dialog().play("S: * OK\nC: a UNAUTHENTICATE\nS: a BAD\nC: b UNAUTHENTICATE x\nS: b BAD")


def test_s4_1_what_was_enabled_is_off(imap: ImapServer) -> None:
    imap.deliver(message(1), user="user2")
    imap.play(
        r"""
        C: a ENABLE QRESYNC UTF8=ACCEPT
        S: * ENABLED QRESYNC UTF8=ACCEPT
        S: a OK
        C: b UNAUTHENTICATE
        S: b OK
        C: c LOGIN user2 secret
        S: c OK
        C: d SELECT INBOX
        ...
        S: d OK
        C: e STORE 1 +FLAGS \Seen
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Seen \\Recent\)\)$
        S: e OK
        C: f SEARCH CHARSET UTF-8 SUBJECT number
        S: * SEARCH 1
        S: f OK
        C: g SEARCH $
        S~ \* SEARCH$
        S: g OK
        C: h FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: h BAD
        """
    )


def test_s4_1_large_literals_are_a_users_again(imap: ImapServer) -> None:
    imap.play("C: a UNAUTHENTICATE\nS: a OK\nC: b APPEND INBOX {50000}\nS: b BAD")


@pytest.mark.parametrize("mode", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5, 6])
def test_s4_1_compression_ends(mode: int, cut: int) -> None:
    with imap_server() as server:
        dialog = compressed(server)
        dialog.play("C: a NOOP\nS: a OK")
        client = dialog.client()
        sock: Any = client.sock
        packed = sock._pack.compress(b"b UNAUTHENTICATE\r\n") + sock._pack.flush(mode)
        sock._sock.sendall(packed[: len(packed) - cut])
        if cut == 0:
            assert client.line().startswith("b OK")
            client.sock = sock._sock
            dialog.play("C: c LOGIN user1 secret\nS: c OK\nC: d NOOP\nS: d OK")
        else:
            sock._sock.sendall(packed[len(packed) - cut :] + b"c LOGIN user1 secret\r\n")
            raw = b""
            while b"\0\0\xff\xff" not in raw:
                raw += sock._sock.recv(65536)
            packed, _, client._buffer = raw.partition(b"\0\0\xff\xff")
            assert sock._unpack.decompress(packed).startswith(b"b OK")
            client.sock = sock._sock
            dialog.play("S: c OK\nC: d COMPRESS DEFLATE\nS: d OK")


def test_s8_can_be_switched_off() -> None:
    settings = ImapSettings(plaintext_login=True, unauthenticate=False)
    with imap_server(settings) as server:
        server.play(
            "C: a CAPABILITY\nS~ (?!.*UNAUTH)\nS: a OK\nC: b UNAUTHENTICATE\nS: b BAD\n"
            'C: c LIST "" ""\nS: * LIST\nS: c OK'
        )


def test_sessions_are_counted_as_they_are() -> None:
    settings = ImapSettings(plaintext_login=True, max_sessions_per_user_ip=1)
    with imap_server(settings) as server:
        server.play("C: a UNAUTHENTICATE\nS: a OK\nC: b LOGIN user1 secret\nS: b OK")
