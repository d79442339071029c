"""Plays text dialogs against a server on a real socket, with several clients at once.

A dialog is lines::

    C: a1 LOGIN user pass     send the line and CRLF
    C+ a1 NOOP\\r\\n           send without CRLF, with Python's escapes
    S: a1 OK                  the next line must begin so (case counts)
    S~ \\* (?P<n>\\d+) EXISTS   the next line must match; its groups become variables
    ...                       any lines may come before the one expected next
    CLOSED:                   the server closes the connection
    NOTHING:                  no octet comes for a short while
    T:                        wrap the client's connection in TLS
    # comment

``C2:``, ``S2~``, ``...2:`` and so on speak for the second client, connected at its first use.
``$name`` in a line is replaced by the variable.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping

_LINE = re.compile(r"(C|S|T|CLOSED|NOTHING|\.\.\.)(\d?)([:~+]|$) ?(.*)")
WAIT_S = 5.0
SILENCE_S = 0.05


class Client:
    """One connection, read line by line; a literal's octets belong to its line."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock: socket.socket = socket.create_connection(address, WAIT_S)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def _fill(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)

    def line(self) -> str:
        """The next response with its literals inlined, without its CRLF."""
        return self.raw_line().decode("utf-8", "replace")

    def raw_line(self) -> bytes:
        """The same, octet by octet."""
        end = 0
        while True:
            at = self._buffer.find(b"\r\n", end)
            if at < 0:
                if not self._fill():
                    raise AssertionError(f"closed by the server, had {self._buffer!r}")
                continue
            literal = re.search(rb"\{(\d+)\}$", self._buffer[end:at])
            if literal is None:
                break
            end = at + 2 + int(literal[1])
            while len(self._buffer) < end:
                if not self._fill():
                    raise AssertionError("closed by the server within a literal")
        line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
        return line

    def closed(self) -> bool:
        """Wait for the end of the connection; False if more octets come."""
        return not self._buffer and not self._fill()

    def silent(self) -> bool:
        self.sock.settimeout(SILENCE_S)
        try:
            return not self._buffer and not self._fill()
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(WAIT_S)

    def close(self) -> None:
        self.sock.close()


class Dialog:
    """Clients and variables of one test."""

    def __init__(self, address: tuple[str, int], variables: Mapping[str, str] = {}) -> None:
        self.address = address
        self.variables = dict(variables)
        self.clients: dict[str, Client] = {}

    def client(self, number: str = "") -> Client:
        """Client ``number`` (none: the first), connected and greeted at its first use."""
        name = number or "1"
        if name not in self.clients:
            self.clients[name] = Client(self.address)
        return self.clients[name]

    def play(self, script: str) -> None:
        """Run the dialog; ``AssertionError`` names the line that did not hold."""
        skipping: set[str] = set()
        for number, raw in enumerate(script.splitlines(), 1):
            text = raw.strip()
            if not text or text.startswith("#"):
                continue
            match = _LINE.fullmatch(text)
            assert match, f"line {number} is no dialog line: {text}"
            verb, who = match[1] + match[3].strip(":"), match[2] or "1"
            rest = self._filled(match[4], verb == "S~")
            if verb == "...":
                skipping.add(who)
                continue
            self._do(verb, who, rest, who in skipping, f"line {number}: {text}")
            if verb.startswith("S"):
                skipping.discard(who)

    def _do(self, verb: str, who: str, rest: str, skip: bool, where: str) -> None:
        client = self.client(who)
        if verb == "C":
            client.send(rest.encode() + b"\r\n")
        elif verb == "C+":
            client.send(rest.encode().decode("unicode_escape").encode("latin-1"))
        elif verb == "T":
            client.start_tls()
        elif verb == "CLOSED":
            while skip and not client.closed():
                client._buffer = b""
            assert skip or client.closed(), where
        elif verb == "NOTHING":
            assert client.silent(), f"{where}\n  got {client._buffer!r}"
        else:
            self._expect(client, verb, rest, skip, where)

    def _expect(self, client: Client, verb: str, rest: str, skip: bool, where: str) -> None:
        seen: list[str] = []
        while True:
            try:
                line = client.line()
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"{where}\n  {error!r} after {seen}") from None
            seen.append(line)
            if verb == "S~":
                found = re.match(rest, line, re.DOTALL)
                self.variables.update(found.groupdict("") if found else {})
                fits = found is not None
            else:
                fits = line.startswith(rest)
            if fits:
                return
            assert skip, f"{where}\n  got {line}"

    def _filled(self, text: str, pattern: bool) -> str:
        for name, value in sorted(self.variables.items(), reverse=True):
            text = text.replace(f"${name}", re.escape(value) if pattern else value)
        return text

    def close(self) -> None:
        for client in self.clients.values():
            client.close()
