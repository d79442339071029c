"""What the store's view keeps of a message: ready-to-send IMAP bytes and the header block.

Promises: never raises for any bytes; the answer depends on the bytes alone. Messages with bare
LF line ends are summarised as IMAP shows them, with CRLF.
RFC: 3501 7.4.2, 9051 7.5.2.
"""

from __future__ import annotations

import re

from mailnode.wire.mime.bodystructure import format_both
from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.structure import MAX_HEADER, Part, parse, to_crlf

# Raise this when the output for some message changes: views made by older code are then stale.
SUMMARY_VERSION = 1
# Headers that are longer are looked at with the whole message.
HEAD_LIMIT = MAX_HEADER // 4
_BLANK_LINE = re.compile(rb"\n\r?\n")
KINDS = ("envelope", "bodystructure", "body", "headers")


def header_block(raw: bytes | bytearray) -> bytes | None:
    """What ``summarise`` gives as ``headers``, from the first bytes of a message alone; ``None``
    where the header does not end within ``raw`` and the first ``HEAD_LIMIT`` bytes."""
    end = header_end(raw)
    return to_crlf(raw[:end]) if end else None


def header_end(raw: bytes | bytearray, start: int = 0) -> int:
    """Where the blank line behind a message's header ends, 0 if it is not found; ``start``: it is
    known not to end before."""
    if raw.startswith((b"\r\n", b"\n")):
        return 2 if raw[0] == 0x0D else 1
    found = _BLANK_LINE.search(raw, max(start - 3, 0), HEAD_LIMIT)
    return found.end() if found else 0


def summarise(raw: bytes) -> dict[str, bytes]:
    """Parse a whole message (CRLF or LF line ends) once and format every kind of ``KINDS``.

    ``envelope``, ``bodystructure`` and ``body`` are what follows these words in a FETCH
    response; ``headers`` is the raw header block with CRLF line ends and, where the message has
    one, its blank line.
    """
    message = to_crlf(raw)
    root = parse(message)
    headers = message[: root.body_start]
    return {"envelope": format_envelope(headers), "headers": headers} | _both(message, root)


def structures(raw: bytes) -> dict[str, bytes]:
    """``bodystructure`` and ``body`` alone."""
    message = to_crlf(raw)
    return _both(message, parse(message))


def _both(message: bytes, root: Part) -> dict[str, bytes]:
    extended, plain = format_both(message, root)
    return {"bodystructure": extended, "body": plain}
