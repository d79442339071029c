"""A MySQL server's answer to several statements that were sent as one text, read without the
driver: of a look-up it took most of the time to describe columns that are known.

Promises: the same values as the driver's for text and whole numbers. Packets as of the protocol's
"Text Resultset" (COM_QUERY Response), ended by EOF packets, which is what the driver agrees on.
Fails: ``ValueError``, ``IndexError`` or ``LookupError`` for octets that are no such answer; the
driver's own exception where the server said that something went wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailnode.runtime.sql_wires import raise_refusal

_OK, _EOF, _ERR, _NULL = 0x00, 0xFE, 0xFF, 0xFB
_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # of a length that takes more than one octet
_EOF_SIZE = 9  # a row may begin as an EOF packet does, but is longer
_MORE_RESULTS = 0x0008  # of the server's status
_LONGEST = 0xFFFFFF  # such a packet goes on in the next
_BINARY = 63  # the character set of what is no text
# What each kind of column is: TINY SHORT LONG LONGLONG INT24, and NULL; VARCHAR, the BLOBs (TEXT
# is one, with a character set), VAR_STRING, STRING.
_NUMBERS = frozenset({1, 2, 3, 6, 8, 9})
_TEXTS = frozenset({15, 249, 250, 251, 252, 253, 254})
# From the end of a column's description, whose length differs: character set and type.
_CHARSET, _TYPE = slice(-12, -10), -6


class Answer:
    """Give it what comes until it is ``done``; ``rows`` are then those of each statement that has
    rows."""

    def __init__(self, encoding: str) -> None:
        self.rows: list[list[tuple[Any, ...]]] = []
        self.done = False
        self._encoding = encoding
        self._rest = b""
        self._number = 1  # the question had 0
        self._take: Callable[[bytes], None] = self._head
        self._columns = 0
        self._is_number: list[bool] = []

    def feed(self, data: bytes) -> None:
        """Some octets more."""
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while size - at >= 4:
            length = int.from_bytes(data[at : at + 3], "little")
            end = at + 4 + length
            if end > size:
                break
            if self.done or data[at + 3] != self._number or length == _LONGEST:
                raise ValueError("packets out of order")
            self._number = (self._number + 1) % 256
            self._take(data[at + 4 : end])
            at = end
        self._rest = data[at:]
        if self.done and self._rest:
            raise ValueError("more than an answer")

    def _head(self, packet: bytes) -> None:
        kind = packet[0]
        if kind == _OK:
            _, at = _number(packet, 1)  # rows changed
            _, at = _number(packet, at)  # the last number given to a row
            self._go_on(packet[at : at + 2])
        elif kind == _ERR:
            raise_refusal(packet)
        else:
            self._columns, at = _number(packet, 0)
            if at != len(packet):
                raise ValueError("no number of columns")
            self._is_number = []
            self.rows.append([])
            self._take = self._column

    def _column(self, packet: bytes) -> None:
        if len(self._is_number) == self._columns:
            if packet[0] != _EOF:
                raise ValueError("more columns than were told")
            self._take = self._row
            return
        kind, binary = packet[_TYPE], int.from_bytes(packet[_CHARSET], "little") == _BINARY
        if kind not in _NUMBERS and (kind not in _TEXTS or binary):
            raise LookupError("a column that is no text and no whole number")
        self._is_number.append(kind in _NUMBERS)

    def _row(self, packet: bytes) -> None:
        kind = packet[0]
        if kind == _EOF and len(packet) < _EOF_SIZE:
            self._go_on(packet[3:5])
        elif kind == _ERR:
            raise_refusal(packet)
        else:
            self.rows[-1].append(self._values(packet))

    def _values(self, packet: bytes) -> tuple[Any, ...]:
        values: list[Any] = []
        at = 0
        for is_number in self._is_number:
            length = packet[at]
            at += 1
            if length == _NULL:
                values.append(None)
                continue
            if length > _NULL:
                length, at = _number(packet, at - 1)
            octets = packet[at : at + length]
            at += length
            values.append(int(octets) if is_number else octets.decode(self._encoding))
        if at != len(packet):
            raise ValueError("a row of another length")
        return tuple(values)

    def _go_on(self, status: bytes) -> None:
        self.done = not int.from_bytes(status, "little") & _MORE_RESULTS
        self._take = self._head


def _number(packet: bytes, at: int) -> tuple[int, int]:
    """A number of one, three, four or nine octets, and where it ends."""
    first = packet[at]
    if first < _NULL:
        return first, at + 1
    end = at + 1 + _WIDTHS[first]
    return int.from_bytes(packet[at + 1 : end], "little"), end
