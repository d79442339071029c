"""RFC 4978: COMPRESS=DEFLATE."""

import zlib
from typing import Any

import pytest

from mailnode.access.imap.deflate import DeflatingWire
from tests.support.dialog import Client, Dialog
from tests.support.imap_server import ImapServer, imap_server, message

ON = "C: c COMPRESS DEFLATE\nS: c OK"
RAW = -zlib.MAX_WBITS


class DeflatedSocket:
    """A client's socket behind zlib; each ``sendall`` is flushed, as RFC 4978 4 asks."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._pack = zlib.compressobj(9, zlib.DEFLATED, RAW)
        self._unpack = zlib.decompressobj(RAW)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(self._pack.compress(data) + self._pack.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size: int) -> bytes:
        while data := self._sock.recv(size):
            if plain := self._unpack.decompress(data):
                return plain
        return b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def compressed(imap: ImapServer) -> Dialog:
    dialog = imap.play(ON)
    wrap(dialog.client())
    return dialog


def wrap(client: Client) -> None:
    assert client._buffer == b"", "nothing plain may follow the OK"
    client.sock = DeflatedSocket(client.sock)  # type: ignore[assignment]


def test_s3_both_directions(imap: ImapServer) -> None:
    body = "".join(f"line {n}\r\n" for n in range(3000))
    imap.deliver(message(1, body))
    dialog = compressed(imap)
    dialog.play("C: a SELECT INBOX\n...\nS: a OK\nC: b FETCH 1 BODY.PEEK[TEXT]")
    assert dialog.client().line().endswith(body + "\r\n)")
    dialog.play("S: b OK")
    dialog.client().send(b"d APPEND INBOX {6}\r\n")
    dialog.play("S: +")
    dialog.client().send(b"x: y\r\n\r\ne NOOP\r\n")
    dialog.play("...\nS: d OK\nS: e OK\nC: f LOGOUT\nS: * BYE\nS: f OK\nCLOSED:")


def test_s3_commands_cut_anywhere(imap: ImapServer) -> None:
    client = compressed(imap).client()
    for octet in b"a LIST {0}\r\n":
        client.send(bytes([octet]))
    assert client.line().startswith("+")
    client.send(b' ""\r\n')
    assert client.line() == '* LIST (\\Noselect) "/" ""'
    assert client.line().startswith("a OK")


def test_s3_pushes_are_flushed(imap: ImapServer) -> None:
    dialog = compressed(imap)
    dialog.play("C: a SELECT INBOX\n...\nS: a OK\nC: b IDLE\nS: +\nNOTHING:")
    imap.deliver(message(1))
    dialog.play("S: * 1 EXISTS\nS: * 1 RECENT\nC: DONE\nS: b OK")


def test_s3_offered_after_login_and_only_once(imap: ImapServer) -> None:
    imap.dialog().play(
        "S: * OK\nC: a COMPRESS DEFLATE\nS: a BAD\nC: b CAPABILITY\n"
        "S~ (?!.*COMPRESS)\nS: b OK\nC: c LOGIN user1 secret\nS~ .*COMPRESS=DEFLATE"
    )
    imap.play("C: a COMPRESS LZ4\nS: a BAD\nC: b COMPRESS\nS: b BAD")
    compressed(imap).play(
        "C: a COMPRESS DEFLATE\nS: a BAD [COMPRESSIONACTIVE]\n"
        "C: b CAPABILITY\nS~ (?!.*COMPRESS=)\nS: b OK"
    )


def test_s3_octets_right_behind_the_command_are_compressed_ones(imap: ImapServer) -> None:
    dialog = imap.play("C: a NOOP\nS: a OK")
    client = dialog.client()
    pack = zlib.compressobj(9, zlib.DEFLATED, RAW)
    packed = pack.compress(b"b NOOP\r\n") + pack.flush(zlib.Z_SYNC_FLUSH)
    client.send(b"c COMPRESS DEFLATE\r\n" + packed)
    assert client.line().startswith("c OK")
    plain, client._buffer = client._buffer, b""
    client.sock = DeflatedSocket(client.sock)  # type: ignore[assignment]
    client._buffer = client.sock._unpack.decompress(plain)  # type: ignore[attr-defined]
    assert client.line().startswith("b OK")


@pytest.mark.parametrize("junk", [b"a NOOP\r\n", b"\xff" * 40, zlib.compress(b"a NOOP\r\n")])
def test_s3_what_is_no_deflate_stream_ends_the_connection(imap: ImapServer, junk: bytes) -> None:
    dialog = compressed(imap)
    dialog.client().sock._sock.sendall(junk)  # type: ignore[attr-defined]
    dialog.play("S: * BYE\nCLOSED:")


def test_a_stream_that_ends_ends_the_connection(imap: ImapServer) -> None:
    dialog = compressed(imap)
    sock: Any = dialog.client().sock
    sock._sock.sendall(sock._pack.compress(b"a NOOP\r\n") + sock._pack.flush(zlib.Z_FINISH))
    dialog.play("S: a OK\nS: * BYE\nCLOSED:")


def test_a_bomb_costs_its_sender_only() -> None:
    bomb = b"a NOOP " + b" " * 50_000_000 + b"\r\nb NOOP\r\n"
    with imap_server() as server:
        dialog = compressed(server)
        sock: Any = dialog.client().sock
        sizes = []
        (link,) = server.service._links
        receiver = link._input
        inflate = receiver._inflate  # type: ignore[attr-defined]

        def counted() -> bool:
            sizes.append(len(receiver._buffer))
            return bool(inflate())

        receiver._inflate = counted  # type: ignore[attr-defined]
        sock.sendall(bomb)
        dialog.play("C2: n NOOP\nS2: n OK\nS: a BAD\nS: b OK")
        assert len(sizes) > 1000
        assert max(sizes) < 200_000


def test_a_quiet_connection_keeps_no_compressor() -> None:
    with imap_server() as server:
        dialog = compressed(server)
        dialog.play("C: a NOOP\nS: a OK")
        (link,) = server.service._links
        wire = link._wire
        assert isinstance(wire, DeflatingWire)
        assert wire._compressor is not None
        server.thread.call(link.sweep, link._touched_at + 6.0)
        assert wire._compressor is None
        dialog.play("C: b CAPABILITY\nS: * CAPABILITY\nS: b OK\nC: c NOOP\nS: c OK")
