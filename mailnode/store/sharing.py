"""A store whose accounts reach what others share, and the names of those it is shared with."""

from __future__ import annotations

from mailnode.model.errors import PermanentError
from mailnode.store import AccountRef, Store
from mailnode.store.acl import ANYONE, AUTHENTICATED, OWNER, Person
from mailnode.store.shared import Find, Spaces, WideAccount


class SharingStore:
    """See ``store.Store``: one whose accounts reach what others share."""

    def __init__(self, store: Store, spaces: Spaces, find: Find = lambda ref: ref) -> None:
        self._store, self._spaces, self._find = store, spaces, find
        self.guard, self.accept = store.guard, store.accept
        self.find, self.sharers = store.find, store.sharers

    def account(self, ref: AccountRef) -> WideAccount:
        """See ``store.Store``."""
        return WideAccount(self._store.account(ref), self._store, self._spaces, self._find)


class UnknownIdentifier(PermanentError):
    """An identifier that stands for nobody who could be given rights here."""

    public = "this identifier cannot be given rights"


def named(identifier: str, person: Person, owner: str, everywhere: bool) -> str:
    """An identifier as lists have it. ``person`` asks, of a folder of ``owner`` (``""``: public);
    users without a domain are of the folder's own. Raises ``UnknownIdentifier``."""
    name = identifier.removeprefix("-").lower()
    home = Person(owner) if owner else person
    if name in (ANYONE, AUTHENTICATED):
        return name
    if name == OWNER:
        if not owner:
            raise UnknownIdentifier(identifier)
        return owner
    if not name.isprintable() or name in ("", "@"):
        raise UnknownIdentifier(identifier)
    if name.startswith("$"):
        return identifier.removeprefix("-")
    if "@" not in name and home.domain:
        name = f"{name}@{home.domain}"
    if not everywhere and "@" in name and name.rpartition("@")[2] != home.domain:
        raise UnknownIdentifier(identifier, "users of other domains cannot be given rights here")
    return name
