"""What the store's view keeps of a message: ready-to-send IMAP bytes and the header block.

Promises: never raises for any bytes; the answer depends on the bytes alone. Messages with bare
LF line ends are summarised as IMAP shows them, with CRLF.
RFC: 3501 7.4.2, 9051 7.5.2.
"""

from __future__ import annotations

from mailnode.wire.mime.bodystructure import format_body
from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.structure import parse, to_crlf

# Raise this when the output for some message changes: views made by older code are then stale.
SUMMARY_VERSION = 1
KINDS = ("envelope", "bodystructure", "body", "headers")


def summarise(raw: bytes) -> dict[str, bytes]:
    """Parse a whole message (CRLF or LF line ends) once and format every kind of ``KINDS``.

    ``envelope``, ``bodystructure`` and ``body`` are what follows these words in a FETCH
    response; ``headers`` is the raw header block with CRLF line ends and, where the message has
    one, its blank line.
    """
    message = to_crlf(raw)
    root = parse(message)
    headers = message[: root.body_start]
    return {
        "envelope": format_envelope(headers),
        "bodystructure": format_body(message, root, extended=True),
        "body": format_body(message, root, extended=False),
        "headers": headers,
    }
