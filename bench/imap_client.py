"""A small strict IMAP client: every answer is read whole and checked, nothing is guessed.

It is cheap on purpose (blocking socket, no objects for responses), so that on two cores the load
generator costs little beside the server.
"""

from __future__ import annotations

import re
import socket

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Wrong(Exception):
    """The server's answer is not what the protocol and the state demand."""


class ImapClient:
    """One connection."""

    def __init__(self, address: tuple[str, int], timeout_s: float = 60.0) -> None:
        self._sock = socket.create_connection(address, timeout_s)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._sock.makefile("rb", 65536)
        self._count = 0
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
        found = []
        while True:
            answer = self._response()
            found.append(answer)
            if answer.startswith(tag + b" "):
                if not answer.startswith(tag + b" OK"):
                    raise Wrong(f"{text}: {answer[:200]!r}")
                return found
            odd = not answer.startswith(b"* ") or answer.startswith((b"* BYE", b"* BAD"))
            if odd and text != "LOGOUT":
                raise Wrong(f"{text}: {answer[:200]!r}")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._sock.close()


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
