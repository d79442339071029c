"""Reading a message's file once it is open.

Promises: the descriptor is closed in any case; within a brisk call nothing waits for a disk.
Fails: ``StorageGone``.
"""

from __future__ import annotations

import io
import os

from mailnode.runtime import files
from mailnode.runtime.tasks import MustWait, is_brisk
from mailnode.store import listing, names
from mailnode.wire.mime.summary import HEAD_LIMIT, header_end

_HEAD_BYTES = 16 * 1024  # what most headers fit in


def read_whole(fd: int, base: bytes) -> bytes:
    """All of it with CRLF line ends, however the file has them."""
    raw = _at_hand(fd) if is_brisk() else _all(fd, base)
    told = names.size_in(base)
    return raw if told is not None and told == names.vsize_in(base) else listing.with_crlf(raw)


def _all(fd: int, base: bytes) -> bytes:
    with io.FileIO(fd, "rb") as file, files.storage_errors(base):
        return file.read()


def _at_hand(fd: int) -> bytes:
    try:
        raw = files.read_at_hand(fd)
    finally:
        os.close(fd)
    if raw is None:
        raise MustWait
    return raw


def read_head(fd: int, base: bytes) -> bytes:
    """At least the header block, as it lies on the disk; what it takes of the body with it is
    a few KiB."""
    if is_brisk():
        return _at_hand(fd)
    with io.FileIO(fd, "rb") as file, files.storage_errors(base):
        raw = bytearray(file.read(_HEAD_BYTES))
        searched = 0
        while not header_end(raw, searched) and len(raw) < HEAD_LIMIT:
            searched = len(raw)
            piece = file.read(_HEAD_BYTES)
            if not piece:
                break
            raw += piece
        if len(raw) >= HEAD_LIMIT:
            raw += file.readall()
    return bytes(raw)
