"""What the view keeps of one message, and what it says of one that no parser foresaw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

# What is larger is parsed anew at each FETCH rather than kept: such mail is rare and often hostile.
MAX_KEPT_BYTES = 128 * 1024


def kept(made: Mapping[str, bytes], kinds: Iterable[str]) -> Iterator[bytes | None]:
    """What is kept of a message for these columns; ``None`` where it is too large."""
    for kind in kinds:
        value = made.get(kind)
        yield value if value is not None and len(value) <= MAX_KEPT_BYTES else None


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
