"""One connection of a strict client: commands go out, responses come in one at a time, as values.

Nothing is guessed: what does not follow the grammar raises ``Wrong``.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n\Z")
_LITERAL_HERE = re.compile(rb"~?\{(\d+)\}\r\n")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n]|\\["\\])*)"')
_ATOM = re.compile(rb'[^\s()"{}\[\]]+(?:\[[^\]]*\](?:<\d+>)?)?')
_CODE = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: \[((?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")+)\])?(?: |\Z)")
_NUMBERED = re.compile(rb"(\d+) (EXISTS|RECENT|EXPUNGE|FETCH|UIDFETCH)(?: |\Z)")


class Wrong(Exception):
    """The server said or did what it may not."""


class Gone(Exception):
    """The server said BYE, or closed; ``said`` is its last word."""

    def __init__(self, said: bytes) -> None:
        super().__init__(repr(said))
        self.said = said


class Text(bytes):
    """A quoted string or a literal, as opposed to an atom."""


Value = bytes | None | list["Value"]


@dataclass(frozen=True)
class Response:
    """``tag``: ``*``, ``+`` or a command's; ``kind``: its word in upper case; ``number`` before it,
    or 0; ``code`` in brackets; ``rest``: all after the word, unread."""

    tag: str
    kind: str
    number: int = 0
    code: str = ""
    rest: bytes = b""
    raw: bytes = b""

    def values(self) -> list[Value]:
        """``rest`` as values parted by blanks."""
        return read_all(self.rest)


def read_all(data: bytes) -> list[Value]:
    """Values parted by single blanks."""
    found: list[Value] = []
    at = 0
    while at < len(data):
        if found:
            if data[at : at + 1] != b" ":
                raise Wrong(f"no blank in {data[max(at - 40, 0) : at + 40]!r}")
            at += 1
        value, at = _read(data, at)
        found.append(value)
    return found


def _read(data: bytes, at: int) -> tuple[Value, int]:
    first = data[at : at + 1]
    if first == b"(":
        return _read_list(data, at + 1)
    if first == b'"' and (quoted := _QUOTED.match(data, at)):
        return Text(re.sub(rb"\\(.)", rb"\1", quoted[1])), quoted.end()
    if literal := _LITERAL_HERE.match(data, at):
        end = literal.end() + int(literal[1])
        return Text(data[literal.end() : end]), end
    atom = _ATOM.match(data, at)
    if atom is None:
        raise Wrong(f"unreadable: {data[at : at + 80]!r}")
    return (None if atom[0] == b"NIL" else atom[0]), atom.end()


def _read_list(data: bytes, at: int) -> tuple[list[Value], int]:
    found: list[Value] = []
    while data[at : at + 1] != b")":
        if found and not (isinstance(found[-1], list) and data[at : at + 1] == b"("):
            if data[at : at + 1] != b" ":
                raise Wrong(f"no blank in {data[max(at - 40, 0) : at + 40]!r}")
            at += 1
        value, at = _read(data, at)
        found.append(value)
    return found, at + 1


def parse(raw: bytes) -> Response:
    """A whole response, its last CRLF cut off."""
    tag, blank, rest = raw.partition(b" ")
    if not blank and tag != b"+":
        raise Wrong(f"no response: {raw[:200]!r}")
    name = tag.decode("ascii")
    if name == "+":
        return Response(name, "+", rest=rest, raw=raw)
    if status := _CODE.match(rest):
        code = (status[2] or b"").decode("utf-8", "surrogateescape")
        return Response(name, status[1].decode(), 0, code, rest[status.end() :], raw)
    if name != "*":
        raise Wrong(f"a tagged response without a status: {raw[:200]!r}")
    if numbered := _NUMBERED.match(rest):
        kind = numbered[2].decode()
        return Response(name, kind, int(numbered[1]), "", rest[numbered.end() :], raw)
    word, _, after = rest.partition(b" ")
    return Response(name, word.decode("ascii").upper(), 0, "", after, raw)


def responses(data: bytes) -> Iterator[Response]:
    """All that was said, one after the other. Raises ``Wrong`` where it does not end with CRLF."""
    at = 0
    while at < len(data):
        start = at
        while True:
            end = data.find(b"\r\n", at) + 2
            if end < 2:
                raise Wrong(f"no end of line behind {data[start : start + 200]!r}")
            literal = _LITERAL.search(data, at, end)
            at = end + int(literal[1]) if literal else end
            if not literal:
                break
        yield parse(data[start : at - 2])


class Talk:
    """The connection."""

    def __init__(
        self,
        address: tuple[str, int],
        timeout_s: float,
        trace: Path | None = None,
        tls: bool = False,
    ) -> None:
        """``trace``: a file that gets all that is said, with times. ``tls``: from the start."""
        self._trace = trace
        self._sock = socket.create_connection(address, timeout_s)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = bytearray()
        self._deflate: zlib._Compress | None = None
        self._inflate: zlib._Decompress | None = None
        self.last: list[bytes] = []  # for who reads a report
        if tls:
            self.secure()

    def secure(self) -> None:
        """TLS from here on; whose certificate it is does not matter here."""
        if self._held:
            raise Wrong("octets between STARTTLS and the handshake")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self._sock = context.wrap_socket(self._sock)
        except OSError as error:
            raise Wrong(f"no handshake: {error}") from error

    def compress(self) -> None:
        """RFC 4978: both ways from here on."""
        if self._held:
            raise Wrong("octets between COMPRESS and the first compressed one")
        self._deflate, self._inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def plain(self) -> None:
        """RFC 8437 4.1: UNAUTHENTICATE ends compression, both ways."""
        if self._held:
            raise Wrong(f"octets behind UNAUTHENTICATE's answer: {bytes(self._held[:80])!r}")
        self._deflate = self._inflate = None

    def send(self, data: bytes) -> None:
        self._note(b"C: " + data)
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self._sock.sendall(data)
        except OSError:
            # The last word may still be there to be read.
            return

    def response(self) -> Response:
        """The next one. Raises ``Gone`` at the end, ``Wrong`` where none comes."""
        raw = self._line()
        while literal := _LITERAL.search(raw):
            raw += self._exactly(int(literal[1])) + self._line()
        self._note(b"S: " + raw)
        if not raw.endswith(b"\r\n"):
            raise Gone(raw)
        return parse(raw[:-2])

    def waiting(self, seconds: float) -> bool:
        """Whether something comes within so many seconds."""
        if self._held:
            return True
        before = self._sock.gettimeout()
        self._sock.settimeout(max(seconds, 0.001))
        try:
            return self._more()
        except TimeoutError:
            return False
        finally:
            self._sock.settimeout(before)

    def _line(self) -> bytes:
        while (at := self._held.find(b"\n")) < 0:
            if not self._more():
                return self._take(len(self._held))
        return self._take(at + 1)

    def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            if not self._more():
                raise Gone(b"within a literal")
        return self._take(size)

    def _take(self, size: int) -> bytes:
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def _more(self) -> bool:
        try:
            data = self._sock.recv(65536)
        except ConnectionError:
            return False
        if data and self._inflate is not None:
            self._held += self._inflate.decompress(data)
        else:
            self._held += data
        return bool(data)

    def _note(self, line: bytes) -> None:
        self.last.append(line[:400])
        del self.last[:-60]
        if self._trace is not None:
            with self._trace.open("ab") as file:
                file.write(b"%.6f %b\n" % (time.time(), line.rstrip()))

    def close(self) -> None:
        self._sock.close()
