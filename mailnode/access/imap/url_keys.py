"""The access keys of mailboxes, by which URLs are made that others may read.

Promises: kept beside a mailbox's annotations, so that each node has them and they go with a mailbox
that is renamed or deleted, but under a name that no user has; made when first wanted. Two sessions
that make the first one at once leave two, and both are good.
Fails: ``NoSuchFolder``, ``StorageGone``; ``NoPermission`` for what others share, for its key is its
owner's. Blocking.
RFC: 4467 2.1 (mailbox access key table).
"""

from __future__ import annotations

import secrets

from mailnode.model.errors import NoPermission
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
    key = secrets.token_bytes(_KEY_BYTES)
    account.annotate(name, _OWNER, {_PREFIX + secrets.token_hex(8): key}, _LIMIT)
    return key


def reset(account: Account, name: str) -> None:
    """End every URL that was made for the mailbox."""
    if not _is_own(account, name):
        raise NoPermission(name)
    entries = [entry for entry in account.annotations(name, _OWNER) if entry.startswith(_PREFIX)]
    if entries:
        account.annotate(name, _OWNER, dict.fromkeys(entries), _LIMIT)


def reset_all(account: Account) -> None:
    """The same for all mailboxes."""
    for folder in account.folders():
        if folder.selectable and _is_own(account, folder.name):
            reset(account, folder.name)


def _is_own(account: Account, name: str) -> bool:
    return not (isinstance(account, WideAccount) and account.is_shared(name))
