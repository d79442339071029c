"""Subscriptions and special uses of an account: two small text files.

``subscriptions`` is Dovecot's file, version 2 (levels parted by tabs); an older one, or
Courier's, is read and replaced at the first change. ``mailnode.special-use`` has a line
``<use> <name on disk>`` per folder made with CREATE-SPECIAL-USE.
Locks: writing is done under the account's lock; reading needs none, files are replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailnode.runtime import files
from mailnode.store import names
from mailnode.store.takeover import read_foreign_subscriptions

_HEADER = b"V\t2\n\n"
_USES_NAME = b"mailnode.special-use"
_MAX_BYTES = 1 << 20


def exist(account: bytes) -> bool:
    """True when there is a list, ours or another program's."""
    return read_foreign_subscriptions(account) is not None


def read(account: bytes) -> list[str]:
    """Subscribed names, sorted."""
    return sorted(read_foreign_subscriptions(account) or ())


def write(account: bytes, subscribed: Iterable[str]) -> None:
    """Replace the list, durably."""
    lines = (
        b"\t".join(names.encode_utf7(level).encode("ascii") for level in name.split("/")) + b"\n"
        for name in sorted(set(subscribed))
    )
    files.replace(account + b"/subscriptions", _HEADER + b"".join(lines))


def read_uses(account: bytes) -> dict[bytes, str]:
    """Special uses set by clients: name on disk to use."""
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
