"""The access keys of mailboxes, by which URLs are made that others may read.

Promises: kept beside a mailbox's annotations, so that each node has them and they go with a mailbox
that is renamed or deleted, but under a name that no user has; made when first wanted. Two sessions
that make the first one at once leave two, and both are good. A key that comes or goes moves the
mailbox's modseq on, which is how sessions learn that they should ask for its ``mark``.
Fails: ``NoSuchFolder``, ``StorageGone``; ``NoPermission`` for what others share, for its key is its
owner's. Blocking.
RFC: 4467 2.1 (mailbox access key table).
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.store import Account
from mailnode.store.shared import WideAccount

# No login name holds a NUL (RFC 4616 2).
_OWNER = "\0urlauth"
_PREFIX = "/private/key/"
_KEY_BYTES = 32
_LIMIT = 1 << 30  # of annotations; the bound of users' own is not for these


def keys_of(account: Account, name: str) -> list[bytes]:
    """The mailbox's keys, the same order everywhere."""
    if not _is_own(account, name):
        raise NoPermission(name)
    found = account.annotations(name, _OWNER)
    return [found[entry] for entry in sorted(found) if entry.startswith(_PREFIX)]


def key_of(account: Account, name: str) -> bytes:
    """A key to make URLs with."""
    known = keys_of(account, name)
    if known:
        return known[0]
    account.status(name)  # a name that is only a parent has annotations, and no messages
    entry, key = _new_key()
    account.annotate(name, _OWNER, {entry: key}, _LIMIT)
    return key


def _new_key() -> tuple[str, bytes]:
    return _PREFIX + secrets.token_hex(8), secrets.token_bytes(_KEY_BYTES)


def mark(account: Account, name: str) -> bytes:
    """Other octets for other keys; none where there is no key, or none of this account's."""
    try:
        keys = keys_of(account, name)
    except (NoPermission, NoSuchFolder):
        return b""
    return blake2b(b"".join(keys), digest_size=8).digest() if keys else b""


def reset(account: Account, name: str) -> None:
    """RFC 4467 7: end every URL that was made for the mailbox, by a new key."""
    if not _is_own(account, name):
        raise NoPermission(name)
    account.status(name)
    entry, key = _new_key()
    account.annotate(name, _OWNER, {**dict.fromkeys(_entries(account, name)), entry: key}, _LIMIT)


def reset_all(account: Account) -> None:
    """The same for all mailboxes that have a key."""
    for folder in account.folders():
        if folder.selectable and _is_own(account, folder.name) and _entries(account, folder.name):
            reset(account, folder.name)


def _entries(account: Account, name: str) -> list[str]:
    return [entry for entry in account.annotations(name, _OWNER) if entry.startswith(_PREFIX)]


def _is_own(account: Account, name: str) -> bool:
    return not (isinstance(account, WideAccount) and account.is_shared(name))
