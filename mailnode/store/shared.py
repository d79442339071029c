"""All that one user reaches: own folders, those that others share, and public ones.

Names of shared folders are ``<others>/<owner>/<folder>`` and ``<public>/<folder>``. A folder of
one's own that has such a name already stays reachable by it.
Promises: own folders are what they are without this. Nothing is shown or done that the folder's
list does not allow; rights are asked anew each time.
Fails: ``NoPermission``, and ``DirectoryGone`` for an owner nobody can tell of, besides what
``store`` says.
RFC: 4314 4, 2342.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from mailnode.model.errors import BadFolderName, DirectoryGone, NoSuchFolder
from mailnode.model.rights import ALL_RIGHTS
from mailnode.store import (
    Account,
    AccountRef,
    Folder,
    FolderInfo,
    FolderStatus,
    QuotaUse,
    Store,
    account_key,
    share_key,
)
from mailnode.store.acl import Acl, Person
from mailnode.store.guarded import GuardedFolder, demand
from mailnode.store.home import PUBLIC_FOLDER
from mailnode.store.names import INBOX
from mailnode.store.shares import heard_by

# RFC 5464 3: annotations are for those who may look the mailbox up and have one of these.
_ANNOTATING = "rswip"


@dataclass(frozen=True, slots=True)
class Spaces:
    """How shared folders are called (empty: that kind is not offered), and how they behave.

    ``private_seen``: each reader has a ``\\\\Seen`` of his own; ``everywhere``: sharing reaches
    users of other domains.
    """

    others: str = "Other Users"
    public: str = "Public"
    private_seen: bool = True
    everywhere: bool = False


# The account as the directory knows it now, with its limit; ``None``: no longer there. Raises
# ``DirectoryGone`` where that cannot be told: an owner may have been locked, and has a limit.
Find = Callable[[AccountRef], AccountRef | None]


class Place(NamedTuple):
    """A folder of another account. ``owner``: empty for a public one."""

    account: Account
    owner: str
    inner: str

    def acl(self) -> Acl:
        """The list that counts; of the account as a whole where ``inner`` is empty."""
        return self.account.acl(self.inner or INBOX)


def public_ref(domain: str) -> AccountRef:
    """Where the public folders of a domain are. No login has such a user's name."""
    return AccountRef(f"/public/{domain}", f"{PUBLIC_FOLDER}/{domain}")


class WideAccount:
    """See ``store.Account``."""

    def __init__(self, own: Account, store: Store, spaces: Spaces, find: Find) -> None:
        self.ref = own.ref
        self.spaces = spaces
        self.person = Person(own.ref.user)
        self._own, self._store, self._find = own, store, find

    # -- where a name leads ----------------------------------------------------------------

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What names of shared folders begin with."""
        return tuple(f"{name}/" for name in (self.spaces.others, self.spaces.public) if name)

    def is_shared(self, name: str) -> bool:
        """Is this another's or a public folder, by its name?"""
        return self._split(name) is not None

    def place(self, name: str) -> Place | None:
        """Where a shared folder is; ``None`` for a name of one's own. Raises ``NoSuchFolder``."""
        split = self._split(name)
        if split is None:
            return None
        owner, inner = split
        found = self._public() if not owner else self._other(owner)
        if found is None or not inner or (not owner and inner.upper() == INBOX):
            raise NoSuchFolder(name)
        return Place(found, owner, inner)

    def _split(self, name: str) -> tuple[str, str] | None:
        """Owner and folder; the owner is empty for public folders."""
        head, slash, rest = name.partition("/")
        if not slash or not head or head not in (self.spaces.others, self.spaces.public):
            return None
        try:
            self._own.acl(name)
        except (NoSuchFolder, BadFolderName):
            pass
        else:
            return None
        if head == self.spaces.public:
            return "", rest
        owner, _, inner = rest.partition("/")
        return owner.lower() or "/", inner

    def _public(self) -> Account | None:
        """The domain's public folders, where it has any."""
        domain = self.person.domain
        return self._store.find(public_ref(domain)) if self.spaces.public and domain else None

    def _other(self, owner: str) -> Account | None:
        return self._account(owner, self._sharers(owner).get(owner, ""))

    def _sharers(self, owner: str = "") -> dict[str, str]:
        if not self.spaces.others:
            return {}
        found = self._store.sharers(self.person, self.spaces.everywhere, owner)
        # A user whose name has our separator in it cannot be a level of a mailbox name.
        return {user: maildir for user, maildir in found.items() if "/" not in user}

    def _account(self, owner: str, maildir: str) -> Account | None:
        if not maildir:
            return None
        found = self._find(AccountRef(owner, maildir))
        return self._store.find(found) if found is not None else None

    def _neighbours(self) -> Iterator[tuple[str, Account, str]]:
        """Prefix, account and owner of everything that may hold something for this user."""
        public = self._public()
        if public is not None:
            yield f"{self.spaces.public}/", public, ""
        for owner, maildir in sorted(self._sharers().items()):
            try:
                found = self._account(owner, maildir)
            except (BadFolderName, DirectoryGone):
                # Nobody knows whether the owner is still there; what is named is refused for now.
                continue
            if found is not None:
                yield f"{self.spaces.others}/{owner}/", found, owner

    def _rights(self, place: Place) -> str:
        return place.acl().rights(self.person)

    def _demand(self, place: Place, wanted: str) -> None:
        demand(self._rights(place), wanted, place.inner)

    # -- the set of folders ----------------------------------------------------------------

    def folders(self) -> list[FolderInfo]:
        """See ``store.Account``: of shared ones those that may be looked up."""
        own = self._own.folders()
        found = {info.name: info for info in self._visible()}
        if not found:
            return own
        subscribed = set(self._own.subscriptions())
        known = found | {info.name: info for info in own}
        parents = {up for name in known for up in _parents(name)}
        for name in parents - known.keys():
            known[name] = FolderInfo(name, False, True, False, shared=True)
        infos = (
            replace(info, has_children=name in parents, subscribed=name in subscribed)
            for name, info in known.items()
        )
        return sorted(infos, key=lambda info: (info.name != INBOX, info.name))

    def _visible(self) -> Iterator[FolderInfo]:
        for prefix, account, owner in self._neighbours():
            for info in account.folders():
                if not info.selectable or (not owner and info.name == INBOX):
                    continue
                try:
                    rights = self._rights(Place(account, owner, info.name))
                except NoSuchFolder:
                    continue
                if "l" in rights:
                    yield FolderInfo(prefix + info.name, True, False, False, shared=True)

    def create(self, name: str, use: str = "") -> str:
        """See ``store.Account``; RFC 4314 4: needs ``k`` on the parent."""
        place = self.place(name)
        if place is None:
            if name and name in (self.spaces.others, self.spaces.public):
                raise BadFolderName(name, "this name is for shared mailboxes")
            return self._own.create(name, use)
        if use:
            raise BadFolderName(name, "special uses are for your own mailboxes")
        self._demand(self._above(place), "k")
        return place.account.create(place.inner)

    def use_for(self, name: str, use: str) -> None:
        """See ``store.Account``. RFC 6154 7: what becomes e.g. Junk must not be seen by others."""
        place = self.place(name)
        if place is not None:
            demand(self._rights(place), "l", place.inner)
            raise BadFolderName(name, "special uses are for your own mailboxes")
        self._own.use_for(name, use)

    def _above(self, place: Place) -> Place:
        """The nearest folder above that is there; of public ones, the whole as the last."""
        for up in reversed(_parents(place.inner)):
            above = place._replace(inner=up)
            try:
                above.acl()
            except NoSuchFolder:
                continue
            return above
        if place.owner:
            raise NoSuchFolder(place.inner)
        return place._replace(inner="")

    def delete(self, name: str) -> None:
        """See ``store.Account``; RFC 4314 4: needs ``x``."""
        place = self.place(name)
        if place is None:
            self._own.delete(name)
            return
        self._demand(place, "x")
        place.account.delete(place.inner)

    def rename(self, old: str, new: str) -> None:
        """See ``store.Account``; RFC 4314 4: needs ``x``, and ``k`` on the new parent."""
        source, target = self.place(old), self.place(new)
        if source is None and target is None:
            if new and new in (self.spaces.others, self.spaces.public):
                raise BadFolderName(new, "this name is for shared mailboxes")
            self._own.rename(old, new)
            return
        if source is None or target is None or source.owner != target.owner:
            raise BadFolderName(new, "a mailbox stays with its owner")
        self._demand(source, "x")
        if source.inner.upper() == INBOX:
            raise BadFolderName(old, "INBOX stays with its owner")
        self._demand(self._above(target), "k")
        source.account.rename(source.inner, target.inner)

    def subscribe(self, name: str, on: bool) -> None:
        """See ``store.Account``."""
        self._own.subscribe(name, on)

    def subscriptions(self) -> list[str]:
        """See ``store.Account``."""
        return self._own.subscriptions()

    # -- one folder ------------------------------------------------------------------------

    def open(self, name: str, read_only: bool = False, reader: str = "") -> Folder:
        """See ``store.Account``."""
        place = self.place(name)
        if place is None:
            return self._own.open(name, read_only)
        if not self._rights(place):
            raise NoSuchFolder(name)
        reader = self.person.user if self.spaces.private_seen else ""
        inner = place.account.open(place.inner, read_only, reader)
        try:
            return GuardedFolder(name.removesuffix(place.inner), inner, self.person)
        except BaseException:
            inner.close()
            raise

    def status(self, name: str) -> FolderStatus:
        """See ``store.Account``."""
        if not self.is_shared(name):
            return self._own.status(name)
        folder = self.open(name, read_only=True)
        try:
            return folder.status()
        finally:
            folder.close()

    def annotations(self, name: str, user: str) -> dict[str, bytes]:
        """See ``store.Account``."""
        place = self.place(name)
        if place is None:
            return self._own.annotations(name, user)
        self._may_annotate(place)
        return place.account.annotations(place.inner, user)

    def annotate(
        self, name: str, user: str, changes: Mapping[str, bytes | None], limit: int
    ) -> None:
        """See ``store.Account``; what all see is changed by those who may write."""
        place = self.place(name)
        if place is None:
            self._own.annotate(name, user, changes, limit)
            return
        self._may_annotate(place)
        if any(entry.startswith("/shared/") for entry in changes):
            self._demand(place, "w")
        place.account.annotate(place.inner, user, changes, limit)

    def _may_annotate(self, place: Place) -> None:
        rights = self._rights(place)
        demand(rights, "l", place.inner)
        if set(_ANNOTATING).isdisjoint(rights):
            demand(rights, "r", place.inner)

    # -- room ------------------------------------------------------------------------------

    def quota(self) -> QuotaUse:
        """See ``store.Account``: one's own."""
        return self._own.quota()

    def quota_owner(self, name: str) -> str:
        """Whose room a folder takes: a user, or ``""`` for a public one; whoever asks must be
        able to read it."""
        place = self.place(name)
        if place is None:
            return self.person.user
        self._demand(place, "r")
        return place.owner

    def quota_of(self, owner: str) -> QuotaUse:
        """The use of an account some of whose folders this user may read. Raises
        ``NoSuchFolder``."""
        account = self._other(owner) if owner else self._public()
        if account is None:
            raise NoSuchFolder(owner)
        names = [info.name for info in account.folders() if info.selectable]
        if not any("r" in self._rights(Place(account, owner, name)) for name in names):
            raise NoSuchFolder(owner)
        return account.quota()

    # -- lists -----------------------------------------------------------------------------

    def my_rights(self, name: str) -> str:
        """What this user may do with a folder. Raises ``NoSuchFolder``."""
        place = self.place(name)
        if place is None:
            self._own.acl(name)
            return ALL_RIGHTS
        rights = self._rights(place)
        # RFC 4314 4: MYRIGHTS needs one of these.
        if set("lrikxa").isdisjoint(rights):
            raise NoSuchFolder(name)
        return rights

    def owner_of(self, name: str) -> str:
        """The user whose folder it is; empty for a public one."""
        place = self.place(name)
        return self.person.user if place is None else place.owner

    def acl(self, name: str) -> Acl:
        """See ``store.Account``; RFC 4314 4: needs ``a``."""
        place = self.place(name)
        if place is None:
            return self._own.acl(name)
        self._demand(place, "a")
        return place.acl()

    def change_acl(self, name: str, change: Callable[[Acl], Acl]) -> Acl:
        """See ``store.Account``; RFC 4314 4: needs ``a``."""
        place = self.place(name)
        if place is None:
            return self._own.change_acl(name, change)
        self._demand(place, "a")
        return place.account.change_acl(place.inner, change)

    # -- hints -----------------------------------------------------------------------------

    def hint_keys(self) -> list[str]:
        """What tells of changes to all that ``folders`` shows."""
        mine = [account_key(self.ref)]
        mine += map(share_key, heard_by(self.person, self.spaces.everywhere))
        if self.spaces.public and self.person.domain:
            # Also before there is any: the first one is news like the others.
            mine.append(account_key(public_ref(self.person.domain)))
        return mine + [account_key(one.ref) for _, one, owner in self._neighbours() if owner]


def _parents(name: str) -> list[str]:
    levels = name.split("/")
    return ["/".join(levels[:count]) for count in range(1, len(levels))]
