"""Annotations of a folder, or of the account as a whole: one small file each.

``mailnode.annotations`` in a folder's directory goes with it when it is renamed or deleted (in
the account's own it is INBOX's); ``mailnode.server-annotations`` holds those of no folder. JSON:
``{"version": 1, "entries": [[user, name, value in base64], ...]}``; ``user`` is empty for shared
entries, names are in lower case.
Promises: replaced whole and durable; what a newer version wrote is refused, never overwritten.
Fails: ``TooManyAnnotations``, ``StorageGone``, ``StorageFull``.
Locks: writing is done under the account's lock; reading needs none.
RFC: 5464 3.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from mailnode.model.errors import StorageGone, TooManyAnnotations
from mailnode.runtime import files
from mailnode.runtime.tasks import may_wait

FOLDER_FILE = b"/mailnode.annotations"
SERVER_FILE = b"/mailnode.server-annotations"
_VERSION = 1
_MAX_BYTES = 64 << 20
_PRIVATE = "/private/"

Entries = dict[tuple[str, str], bytes]


def read(path: bytes) -> Entries:
    """All entries of a file by (user, name); none where there is no file."""
    try:
        with files.storage_errors(path), open(path, "rb") as file:
            may_wait()
            raw = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return {}
    try:
        found = json.loads(raw)
        if found["version"] != _VERSION:
            raise StorageGone(f"{path!r}: version {found['version']!r} is not known here")
        return {(user, name): base64.b64decode(value) for user, name, value in found["entries"]}
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise StorageGone(f"{path!r} is damaged: {error}") from error


def visible(entries: Entries, user: str) -> dict[str, bytes]:
    """What ``user`` may see: shared entries and the user's private ones."""
    return {name: value for (owner, name), value in entries.items() if owner in ("", user)}


def change(path: bytes, user: str, changes: Mapping[str, bytes | None], limit: int) -> bool:
    """See ``altered``. True if anything is different now."""
    before = read(path)
    after = altered(before, user, changes, limit)
    if after != before:
        write(path, after)
    return after != before


def altered(before: Entries, user: str, changes: Mapping[str, bytes | None], limit: int) -> Entries:
    """Set or (``None``) remove entries, all or none; ``limit`` counts what ``user`` sees."""
    entries = dict(before)
    for name, value in changes.items():
        key = (user if name.startswith(_PRIVATE) else "", name)
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
    if len(visible(entries, user)) > max(limit, len(visible(before, user))):
        raise TooManyAnnotations(f"more than {limit}")
    return entries


def write(path: bytes, entries: Entries) -> None:
    """Replace the file, durably."""
    rows = [
        [user, name, base64.b64encode(value).decode()]
        for (user, name), value in sorted(entries.items())
    ]
    files.replace(path, json.dumps({"version": _VERSION, "entries": rows}).encode() + b"\n")
