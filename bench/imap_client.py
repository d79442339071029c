"""A small strict IMAP client: every answer is read whole and checked, nothing is guessed.

It is cheap on purpose (blocking socket, no objects for responses), so that on two cores the load
generator costs little beside the server. Where that is still too much, ``timed`` stops the clock
when the last octet is here and reads the answer only then.
"""

from __future__ import annotations

import io
import re
import socket
import struct
import time
from typing import IO

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_READ_BYTES = 256 * 1024
_TAGGED_BYTES = 1024  # no tagged line of either server is longer


class Wrong(Exception):
    """The server's answer is not what the protocol and the state demand."""


class ImapClient:
    """One connection."""

    def __init__(self, address: tuple[str, int], timeout_s: float = 60.0) -> None:
        self._sock = socket.create_connection(address, timeout_s)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Python would ask by poll() before each octet is read or written.
        self._sock.settimeout(None)
        for which in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._sock.setsockopt(socket.SOL_SOCKET, which, struct.pack("@ll", int(timeout_s), 0))
        self._socket_file = self._sock.makefile("rb", 65536)
        self._file: IO[bytes] = self._socket_file
        self._count = 0
        self.received = 0  # octets that ``timed`` has taken
        if not self._response().startswith((b"* OK", b"* PREAUTH")):
            raise Wrong("greeting")

    def _response(self) -> bytes:
        """One response with its literals, without the last CRLF."""
        parts = []
        while True:
            line = self._file.readline()
            if not line.endswith(b"\r\n"):
                raise Wrong(f"connection closed after {line[-80:]!r}")
            found = _LITERAL.search(line)
            if found is None:
                parts.append(line[:-2])
                return b"".join(parts)
            size = int(found[1])
            literal = self._file.read(size)
            if len(literal) != size:
                raise Wrong("short literal")
            parts += [line, literal]

    def command(self, text: str, literal: bytes | None = None) -> list[bytes]:
        """Untagged responses of a command that must succeed; the tagged one comes last."""
        self._count += 1
        tag = b"t%d" % self._count
        line = tag + b" " + text.encode()
        if literal is None:
            self._sock.sendall(line + b"\r\n")
        else:
            self._sock.sendall(line + b" {%d}\r\n" % len(literal))
            if not (answer := self._response()).startswith(b"+"):
                raise Wrong(f"{text}: {answer[:200]!r}")
            self._sock.sendall(literal + b"\r\n")
        data = self._until(tag + b" ")
        if b"}\r\n" in data:
            return self._parsed(data, [(text, tag)])
        found = data[:-2].split(b"\r\n")
        if not found[-1].startswith(tag + b" OK"):
            raise Wrong(f"{text}: {found[-1][:200]!r}")
        untagged = data.count(b"\r\n* ") + data.startswith(b"* ")
        if untagged < len(found) - 1 or data.startswith(b"* B") or b"\n* B" in data:
            for answer in found[:-1]:
                _must_be_untagged(text, answer)
        return found

    def timed(self, *texts: str) -> tuple[float, list[bytes]]:
        """Several commands sent at once: seconds until the last octet of the last answer is here,
        and all responses, tagged ones included. They are read, as strictly as ever, after that."""
        tags = [b"t%d" % (self._count + number) for number in range(1, len(texts) + 1)]
        self._count += len(texts)
        pairs = list(zip(texts, tags, strict=True))
        sent = b"".join(tag + b" " + text.encode() + b"\r\n" for text, tag in pairs)
        began = time.perf_counter()
        self._sock.sendall(sent)
        data = self._until(tags[-1] + b" ")
        seconds = time.perf_counter() - began
        self.received += len(data)
        return seconds, self._parsed(data, pairs)

    def _parsed(self, data: bytes, pairs: list[tuple[str, bytes]]) -> list[bytes]:
        """The responses in what the server has sent, for commands and their tags."""
        self._file = io.BytesIO(data)
        try:
            found = [one for text, tag in pairs for one in self._answers(text, tag)]
            must(not self._file.read(1), f"{pairs[-1][0]}: more than the answer")
        finally:
            self._file = self._socket_file
        return found

    def _until(self, tag: bytes) -> bytes:
        """All octets up to a line with this tag that is the last thing to come."""
        data = self._socket_file.read1(_READ_BYTES)
        if data.endswith(b"\r\n") and data[data.rfind(b"\n", 0, -1) + 1 :].startswith(tag):
            return data  # as mostly
        pieces, tail = [data], data[-_TAGGED_BYTES:]
        while not (tail.endswith(b"\r\n") and tail[:-2].rpartition(b"\r\n")[2].startswith(tag)):
            piece = self._socket_file.read1(_READ_BYTES)
            if not piece:
                raise Wrong(f"connection closed, or silent for too long, after {tail[-80:]!r}")
            pieces.append(piece)
            tail = (tail + piece[-_TAGGED_BYTES:])[-_TAGGED_BYTES:]
        return b"".join(pieces)

    def _answers(self, text: str, tag: bytes) -> list[bytes]:
        found = []
        while True:
            answer = self._response()
            found.append(answer)
            if answer.startswith(tag + b" "):
                if not answer.startswith(tag + b" OK"):
                    raise Wrong(f"{text}: {answer[:200]!r}")
                return found
            _must_be_untagged(text, answer)

    def close(self) -> None:
        """Hang up."""
        self._socket_file.close()
        self._sock.close()


def _must_be_untagged(text: str, answer: bytes) -> None:
    odd = not answer.startswith(b"* ") or answer.startswith((b"* BYE", b"* BAD"))
    if odd and text != "LOGOUT":
        raise Wrong(f"{text}: {answer[:200]!r}")


def must(condition: bool, what: str) -> None:
    """Raise ``Wrong`` unless the condition holds."""
    if not condition:
        raise Wrong(what)


def count_of(answers: list[bytes], word: bytes) -> int:
    """The number of the last ``* n WORD`` among the answers; -1 where there is none."""
    found = [a for a in answers if a.endswith(b" " + word)]
    return int(found[-1].split()[1]) if found else -1


def fetches(answers: list[bytes]) -> list[bytes]:
    """The FETCH responses."""
    return [a for a in answers if b" FETCH (" in a[:24]]


def code_of(answers: list[bytes], name: bytes) -> bytes:
    """The text of a response code such as ``[UIDVALIDITY 1]``. Raises ``Wrong``."""
    for answer in answers:
        at = answer.find(b"[" + name + b" ")
        if at >= 0:
            return answer[at + len(name) + 2 : answer.index(b"]", at)]
    raise Wrong(f"no [{name.decode()}]")
