"""COMPRESS=DEFLATE: the connection's octets through zlib, both ways.

Promises: whatever was written is on its way by the next turn of the loop (one flush for all
writes of a turn); input is inflated only as fast as commands are read, a bounded piece at a time,
however much it expands; a quiet connection keeps no compressor.
Fails: ``BadInput`` for octets that are no deflate stream, or one that has ended.
RFC: 4978, 1951, 8437 4.1.
"""

from __future__ import annotations

import asyncio
import zlib

from mailnode.access.link import Wire
from mailnode.model.tunnel import Tunnel
from mailnode.wire.imap.receiver import Breath, Event, Line, LineTooLong, Receiver

# RFC 4978 3: raw deflate, without the header and checksum of zlib.
RAW = -zlib.MAX_WBITS
INFLATE_BYTES = 16384
# RFC 1951 3.2.4: the empty stored block that a flush writes ends so.
FLUSHED = b"\x00\x00\xff\xff"
PIECES_AT_ONCE = 16


class BadInput(Exception):
    """The client's octets cannot be inflated; the connection is of no use any more."""


class DeflatingWire:
    """A wire that compresses what is written."""

    __slots__ = ("_compressor", "_flush", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._compressor: zlib._Compress | None = None
        self._flush: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Queue for sending."""
        if self._compressor is None:
            self._compressor = zlib.compressobj(6, zlib.DEFLATED, RAW)
        self._send(self._compressor.compress(data))
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self._push)

    def _push(self) -> None:
        """RFC 4978 4: what the client waits for must not stay in the compressor."""
        if self._flush is not None and self._compressor is not None:
            self._flush.cancel()
            self._flush = None
            self._send(self._compressor.flush(zlib.Z_SYNC_FLUSH))

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it."""
        self._push()
        self._wire.flush()

    def _send(self, data: bytes) -> None:
        if data:
            self._wire.write(data)

    def relax(self) -> None:
        """Let the compressor's memory go; the next one goes on with the same stream, for a flushed
        stream ends at a whole octet and a new compressor refers to nothing before it."""
        self._push()
        self._compressor = None
        self._wire.relax()

    def end_deflate(self) -> Wire:
        """Send what is queued; the wire below, for plain octets."""
        self._push()
        return self._wire

    def start_tls(self) -> None:
        """Not now: TLS comes before login, compression after it."""
        raise AssertionError("TLS after COMPRESS")

    def tunnel(self) -> Tunnel:
        """The TLS connection below."""
        return self._wire.tunnel()

    def pause(self) -> None:
        """Stop reading from the socket."""
        self._wire.pause()

    def resume(self) -> None:
        """Read again."""
        self._wire.resume()

    def close(self) -> None:
        """Send what is queued, then close."""
        self._push()
        self._wire.close()

    def abort(self) -> None:
        """Close at once."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._wire.abort()


class InflatingReceiver(Receiver):
    """A receiver fed with compressed octets, until ``end_deflate``."""

    def __init__(self, plain: Receiver) -> None:
        super().__init__(plain.limits)
        self._inflater = zlib.decompressobj(RAW)
        self._packed = b""
        self._last = b""  # the last octets inflated, to know a flush by its marker
        self._plain = False  # no compressed commands come any more
        self._flush_due = True  # the end of the compressed stream is still to come
        # What the client sent behind COMPRESS is compressed already.
        self.feed(plain.rest())

    def feed(self, data: bytes) -> None:
        """Take what came from the socket."""
        if self._plain and not self._flush_due:
            super().feed(data)
            return
        self._packed += data
        if self._plain:
            self.end_deflate()

    def __len__(self) -> int:
        # That the stream has ended is still to be met, too.
        ended = self._inflater.eof and not self._plain
        return super().__len__() + len(self._packed) + ended

    def next(self) -> Event | None:
        """The next event. Raises ``BadInput``."""
        for _ in range(PIECES_AT_ONCE):
            event = super().next()
            if event is not None or self._plain or not self._inflate():
                return event
        return Breath()

    def next_line(self, limit: int) -> Line | LineTooLong | None:
        """The next line. Raises ``BadInput``."""
        for _ in range(PIECES_AT_ONCE):
            line = super().next_line(limit)
            if line is not None or self._plain or not self._inflate():
                return line
        raise BadInput("no line is so long")

    def _inflate(self) -> bool:
        """Inflate a piece; False when there is nothing more to be had."""
        if self._inflater.eof:
            raise BadInput("the stream has ended")
        # Up to a flush and no further: behind the last one octets may be plain.
        piece = self._packed[: self._flush_end()]
        try:
            data = self._inflater.decompress(piece, INFLATE_BYTES)
        except zlib.error as error:
            raise BadInput(str(error)) from None
        unused = self._inflater.unconsumed_tail or self._inflater.unused_data
        used = len(piece) - len(unused)
        self._last = (self._last + piece[:used])[-len(FLUSHED) :]
        self._packed = self._packed[used:]
        super().feed(data)
        return bool(data) or (used > 0 and bool(self._packed))

    def _flush_end(self) -> int:
        """Where in ``_packed`` the next flush ends, or its end."""
        found = (self._last + self._packed).find(FLUSHED, 1 if self._last == FLUSHED else 0)
        return found + len(FLUSHED) - len(self._last) if found >= 0 else len(self._packed)

    def end_deflate(self) -> None:
        """RFC 8437 4.1: the client's stream ends with the flush behind its last command; octets
        after it are plain."""
        self._plain = True
        try:
            while self._packed and not self._at_flush():
                self._inflate()
            self._flush_due = not self._at_flush()
        except BadInput:
            self._flush_due = False
        if not self._flush_due:
            rest, self._packed = self._packed, b""
            super().feed(rest)

    def _at_flush(self) -> bool:
        return self._last == FLUSHED or self._inflater.eof


def end_deflate(wire: Wire, receiver: Receiver) -> Wire:
    """Compress no more, if that was on; the wire for plain octets."""
    if isinstance(receiver, InflatingReceiver):
        receiver.end_deflate()
    return wire.end_deflate() if isinstance(wire, DeflatingWire) else wire
