"""COMPRESS=DEFLATE: the connection's octets through zlib, both ways.

Promises: whatever was written is on its way by the next turn of the loop (one flush for all
writes of a turn); input is inflated only as fast as commands are read, a bounded piece at a time,
however much it expands; a quiet connection keeps no compressor.
Fails: ``BadInput`` for octets that are no deflate stream, or one that has ended.
RFC: 4978, 1951.
"""

from __future__ import annotations

import asyncio
import zlib

from mailnode.access.imap.means import Wire
from mailnode.wire.imap.receiver import Breath, Event, Line, LineTooLong, Receiver

# RFC 4978 3: raw deflate, without the header and checksum of zlib.
RAW = -zlib.MAX_WBITS
INFLATE_BYTES = 16384
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

    def _send(self, data: bytes) -> None:
        if data:
            self._wire.write(data)

    def relax(self) -> None:
        """Let the compressor's memory go; the next one goes on with the same stream, for a flushed
        stream ends at a whole octet and a new compressor refers to nothing before it."""
        self._push()
        self._compressor = None

    def start_tls(self) -> None:
        """Not now: TLS comes before login, compression after it."""
        raise AssertionError("TLS after COMPRESS")

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
    """A receiver fed with compressed octets."""

    def __init__(self, plain: Receiver) -> None:
        super().__init__(plain.limits)
        self._inflater = zlib.decompressobj(RAW)
        # What the client sent behind COMPRESS is compressed already.
        self._packed = plain.rest()

    def feed(self, data: bytes) -> None:
        """Take what came from the socket."""
        self._packed += data

    def __len__(self) -> int:
        return super().__len__() + len(self._packed)

    def next(self) -> Event | None:
        """The next event. Raises ``BadInput``."""
        for _ in range(PIECES_AT_ONCE):
            event = super().next()
            if event is not None or not self._inflate():
                return event
        return Breath()

    def next_line(self, limit: int) -> Line | LineTooLong | None:
        """The next line. Raises ``BadInput``."""
        for _ in range(PIECES_AT_ONCE):
            line = super().next_line(limit)
            if line is not None or not self._inflate():
                return line
        raise BadInput("no line is so long")

    def _inflate(self) -> bool:
        """Inflate a piece; False when there is nothing more to be had."""
        try:
            data = self._inflater.decompress(self._packed, INFLATE_BYTES)
        except zlib.error as error:
            raise BadInput(str(error)) from None
        self._packed = self._inflater.unconsumed_tail
        if self._inflater.eof:
            raise BadInput("the stream has ended")
        super().feed(data)
        return bool(data)
