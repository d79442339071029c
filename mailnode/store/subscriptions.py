"""Subscriptions and special uses of an account: two small text files.

``subscriptions`` is Dovecot's file, version 2 (levels parted by tabs); an older one, or
Courier's, is read and replaced at the first change. ``mailnode.special-use`` has a line
``<use> <name on disk>`` per folder that a client gave a use; an empty use says that it has none.
What was read last of some thousand accounts is kept, and believed while the file looks the same.
Locks: writing is done under the account's lock; reading needs none, files are replaced whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from mailnode.runtime import files
from mailnode.store import names
from mailnode.store.takeover import read_foreign_subscriptions

_HEADER = b"V\t2\n\n"
_USES_NAME = b"mailnode.special-use"
_LIST_NAME = b"subscriptions"
_MAX_BYTES = 1 << 20
_KEPT = 4096
# A file's time tells it from another one only once it is older than any clock's grain.
_SETTLED_S = 2.0
T = TypeVar("T")


class _Kept(Generic[T]):
    """What files said when they were last read."""

    def __init__(self, name: bytes, read: Callable[[bytes], T], absent: T | None = None) -> None:
        self._name = b"/" + name
        self._read = read
        self._absent = absent  # what it says where there is none; None: another file may tell
        self._known: dict[bytes, tuple[tuple[int, int, int], T]] = {}

    def of(self, account: bytes) -> T:
        """What the account's file says now."""
        try:
            seen = os.stat(account + self._name)
        except OSError as error:
            if self._absent is not None and isinstance(error, FileNotFoundError):
                return self._absent
            return self._read(account)  # which says what is wrong, or finds another file
        look = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        known = self._known.get(account)
        if known is not None and known[0] == look:
            return known[1]
        found = self._read(account)
        if time.time() - seen.st_mtime > _SETTLED_S:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[account] = look, found
        return found


def exist(account: bytes) -> bool:
    """True when there is a list, ours or another program's."""
    return read_foreign_subscriptions(account) is not None


def read(account: bytes) -> list[str]:
    """Subscribed names, sorted."""
    return list(_lists.of(account))


def write(account: bytes, subscribed: Iterable[str]) -> None:
    """Replace the list, durably."""
    lines = (
        b"\t".join(names.encode_utf7(level).encode("ascii") for level in name.split("/")) + b"\n"
        for name in sorted(set(subscribed))
    )
    files.replace(account + _slash(_LIST_NAME), _HEADER + b"".join(lines))


def read_uses(account: bytes) -> dict[bytes, str]:
    """Special uses set by clients: name on disk to use."""
    return dict(_uses.of(account))


def _read_uses(account: bytes) -> dict[bytes, str]:
    path = account + _slash(_USES_NAME)
    try:
        with files.storage_errors(path), open(path, "rb") as file:
            lines = file.read(_MAX_BYTES).split(b"\n")
    except FileNotFoundError:
        return {}
    pairs = (line.partition(b" ") for line in lines)
    return {disk: use.decode("ascii", "replace") for use, _, disk in pairs if disk}


def write_uses(account: bytes, uses: Mapping[bytes, str]) -> None:
    """Replace them, durably."""
    lines = (use.encode("ascii") + b" " + disk + b"\n" for disk, use in sorted(uses.items()))
    files.replace(account + _slash(_USES_NAME), b"".join(lines))


def _slash(name: bytes) -> bytes:
    return b"/" + name


_lists = _Kept(_LIST_NAME, lambda account: sorted(read_foreign_subscriptions(account) or ()))
_uses = _Kept[dict[bytes, str]](_USES_NAME, _read_uses, absent={})
