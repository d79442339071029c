"""Who shares something with whom: a small index on shared storage.

``<root>/.mailnode/shares/<hash of an identifier>/<hash of a user>`` names a user whose folders give
that identifier something; ``shares/owners/<hash of a user>`` tells under which identifiers that
user stands. Both are JSON with a version. It only says where to look: what somebody may do,
the lists in the folders decide. ``mailnode acl index`` makes it anew from them.
Promises: names and identifiers are hashed, so none leads anywhere; each file is replaced whole. A
list that changed is in the index before its change is acknowledged.
Fails: ``StorageGone``, ``StorageFull``.
Locks: writing for an account is done under its lock; reading needs none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import blake2b

from mailnode.runtime import files
from mailnode.runtime.tasks import may_wait
from mailnode.store.acl import ANYONE, AUTHENTICATED, Person

_FOLDER = b"/.mailnode/shares"
_OWNERS = b"owners"
_VERSION = 1
_MAX_BYTES = 1 << 20
_EVERYBODY = frozenset((ANYONE, AUTHENTICATED))


def heard_by(person: Person, everywhere: bool) -> list[str]:
    """Identifiers under which this person looks."""
    domain = [f"@{person.domain}", f"{ANYONE}@{person.domain}"] if person.domain else []
    return [person.user, *domain, *([ANYONE] if everywhere or not person.domain else [])]


def stands_under(owner: Person, grantees: Iterable[str]) -> set[str]:
    """Identifiers under which an owner is to be found whose lists name these."""
    found = set(grantees)
    if found & _EVERYBODY:
        # By domain too: for whoever may not look beyond it.
        found |= {ANYONE, f"{ANYONE}@{owner.domain}"}
    return found - {AUTHENTICATED}


class Shares:
    """The index below the mail root ``root``."""

    def __init__(self, root: bytes) -> None:
        self._path = root + _FOLDER
        self._above = root + os.path.dirname(_FOLDER)

    def sharers(self, person: Person, everywhere: bool, only: str = "") -> dict[str, str]:
        """Users (or ``only`` this one) who share something with this person, and the ``maildir``
        of each."""
        found: dict[str, str] = {}
        if not os.path.isdir(self._path):
            return found  # nobody here ever shared anything
        may_wait()
        for identifier in heard_by(person, everywhere):
            folder = self._folder(identifier)
            for name in [_hash(only)] if only else _names(folder):
                entry = _read(folder + b"/" + name)
                owner, maildir = entry.get("owner"), entry.get("maildir")
                if isinstance(owner, str) and isinstance(maildir, str):
                    found[owner] = maildir
        found.pop(person.user, None)
        if not everywhere:
            found = {o: m for o, m in found.items() if Person(o).domain == person.domain}
        return found

    def note(self, owner: Person, maildir: str, grantees: Iterable[str]) -> set[str]:
        """Have the owner found by these and by nobody else; the identifiers that this changed
        anything for."""
        name = _hash(owner.user)
        path = self._path + b"/" + _OWNERS + b"/" + name
        before, now = _identifiers(path), stands_under(owner, grantees)
        if now == before:
            return set()
        self._make(self._path + b"/" + _OWNERS)
        entry = {"version": _VERSION, "owner": owner.user, "maildir": maildir}
        # First what is in doubt: an owner who stands under too much is looked for in vain.
        files.replace(path, _text({**entry, "identifiers": sorted(before | now)}))
        for identifier in now - before:
            self._make(self._folder(identifier))
            files.replace(self._folder(identifier) + b"/" + name, _text(entry))
        for identifier in before - now:
            files.unlink(self._folder(identifier) + b"/" + name, missing_ok=True)
        files.replace(path, _text({**entry, "identifiers": sorted(now)}))
        return now ^ before

    def _make(self, folder: bytes) -> None:
        for path in (self._above, self._path, folder):
            if not os.path.isdir(path) and files.mkdir(path, exist_ok=True):
                files.fsync_dir(os.path.dirname(path))

    def _folder(self, identifier: str) -> bytes:
        return self._path + b"/" + _hash(identifier)


def _hash(text: str) -> bytes:
    raw = text.lower().encode("utf-8", "surrogateescape")
    return blake2b(raw, digest_size=16).hexdigest().encode()


def _text(entry: dict[str, object]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _names(folder: bytes) -> list[bytes]:
    try:
        with files.storage_errors(folder):
            return [name for name in os.listdir(folder) if b"." not in name]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: bytes) -> dict[str, object]:
    """An entry; nothing where there is none that can be understood: the index is only a hint."""
    try:
        with files.storage_errors(path), open(path, "rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("version") == _VERSION else {}


def _identifiers(path: bytes) -> set[str]:
    found = _read(path).get("identifiers")
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()
