"""What can be said of a message that no parser foresaw."""

from __future__ import annotations


def bare_summary(raw: bytes) -> dict[str, bytes]:
    """What can be said of any bytes: no envelope, one text part."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = body.count(b"\n")
    part = b'("TEXT" "PLAIN" NIL NIL NIL "8BIT" %d %d' % (len(body), lines)
    return {
        "envelope": b"(" + b" ".join([b"NIL"] * 10) + b")",
        "body": part + b")",
        "bodystructure": part + b" NIL NIL NIL NIL)",
        "headers": head + b"\r\n\r\n",
    }
