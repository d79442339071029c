"""A folder that is another's or public, as far as its list lets somebody use it.

Promises: no verb does what the list does not allow at that moment; the list is asked each time,
which costs one ``stat``. Whoever may no longer read finds the folder gone at the next look.
Fails: ``NoPermission``, and what the folder itself does.
RFC: 4314 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import BinaryIO

from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.model.flags import ALL_FLAGS, NO_FLAGS, Flag
from mailnode.store import (
    EVERYTHING,
    Allowed,
    FlagsOp,
    Folder,
    FolderStatus,
    MessageInfo,
    NewMessage,
    Picture,
    PictureDiff,
    StoreResult,
)
from mailnode.store.acl import Acl, Person
from mailnode.store.lines import Block

# With none of these the folder is only looked at.
_CHANGING = frozenset("swtie")


@lru_cache(maxsize=256)
def allowed_by(rights: str) -> Allowed:
    """RFC 4314 4: ``s`` is for \\Seen, ``t`` for \\Deleted, ``w`` for all else."""
    flags = NO_FLAGS
    if "s" in rights:
        flags |= Flag.SEEN
    if "t" in rights:
        flags |= Flag.DELETED
    if "w" in rights:
        flags |= ALL_FLAGS & ~(Flag.SEEN | Flag.DELETED)
    return Allowed(flags, "w" in rights)


class GuardedFolder:
    """See ``store.Folder``. ``prefix`` stands before the owner's name of the folder."""

    def __init__(self, prefix: str, inner: Folder, person: Person) -> None:
        self.inner, self._prefix, self._person = inner, prefix, person
        self.mailbox_id, self.private_seen = inner.mailbox_id, inner.private_seen
        self.read_only = inner.read_only
        self._look_at_list()

    def _look_at_list(self) -> None:
        self.rights = self.acl().rights(self._person)
        # It may have been renamed meanwhile.
        self.name, self.key = self._prefix + self.inner.name, self.inner.key

    def acl(self) -> Acl:
        """See ``store.Folder``."""
        return self.inner.acl()

    def need(self, wanted: str) -> None:
        """Raise ``NoPermission`` unless all these rights are there."""
        self._look_at_list()
        # Whoever may read it knows that it is there, also without "l".
        seen = "l" if "r" in self.rights else ""
        demand(self.rights + seen, wanted, self.key)

    # -- looking ---------------------------------------------------------------------------

    def refresh(self, rescan: bool = False) -> Picture:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.refresh(rescan)

    def picture(self) -> Picture:
        """See ``store.Folder``."""
        return self.inner.picture()

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        """See ``store.Folder``."""
        return self.inner.diff(old, new)

    def first_unseen(self, picture: Picture) -> int:
        """See ``store.Folder``."""
        return self.inner.first_unseen(picture)

    def claim_recent(self) -> range:
        """See ``store.Folder``; whoever may change nothing takes it from nobody."""
        if _CHANGING.isdisjoint(self.rights):
            return self.inner.peek_recent()
        return self.inner.claim_recent()

    def peek_recent(self) -> range:
        """See ``store.Folder``."""
        return self.inner.peek_recent()

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.infos(uids)

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.sizes(uids)

    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.read_some(uids)

    def read(self, uid: int) -> bytes:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.read(uid)

    def open(self, uid: int) -> BinaryIO:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.open(uid)

    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.summaries(uids, kind)

    def may_contain(self, uids: Iterable[int], needle: str) -> dict[int, bool]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.may_contain(uids, needle)

    def keep_texts(self, texts: Mapping[int, str]) -> None:
        """See ``store.Folder``."""
        self.inner.keep_texts(texts)

    def lines(self, kind: str, numbers: Iterable[int]) -> dict[int, Block]:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.lines(kind, numbers)

    def keep_lines(self, kind: str, lines: Mapping[int, bytes]) -> None:
        """See ``store.Folder``."""
        self.inner.keep_lines(kind, lines)

    def vanished_since(self, modseq: int, known: Iterable[int] | None = None) -> list[int] | None:
        """See ``store.Folder``."""
        return self.inner.vanished_since(modseq, known)

    def status(self) -> FolderStatus:
        """See ``store.Folder``."""
        self.need("r")
        return self.inner.status()

    # -- changing --------------------------------------------------------------------------

    def append(self, messages: Sequence[NewMessage], spare_bytes: int = 0) -> list[int]:
        """See ``store.Folder``. RFC 4314 4: flags that the user may not set are left away."""
        self.need("i")
        may = allowed_by(self.rights)
        kept = [
            replace(
                message,
                flags=message.flags & may.flags,
                keywords=message.keywords if may.keywords else frozenset(),
            )
            for message in messages
        ]
        return self.inner.append(kept, spare_bytes)

    def store_flags(
        self,
        uids: Iterable[int],
        op: FlagsOp,
        flags: Flag,
        keywords: frozenset[str],
        unchanged_since: int | None = None,
        among: Allowed = EVERYTHING,
    ) -> StoreResult:
        """See ``store.Folder``. RFC 4314 4: it fails only where the user may change none of the
        flags that are named."""
        self.need("r")
        may = allowed_by(self.rights)
        named = bool(flags & may.flags) or (bool(keywords) and may.keywords)
        if op is FlagsOp.REPLACE or not (flags or keywords):
            named = named or may != Allowed(NO_FLAGS, False)
        if not named:
            demand("l", "w", self.key)
        words = keywords if may.keywords else frozenset[str]()
        among = Allowed(among.flags & may.flags, among.keywords and may.keywords)
        return self.inner.store_flags(uids, op, flags & may.flags, words, unchanged_since, among)

    def expunge(self, uids: Iterable[int] | None = None) -> list[int]:
        """See ``store.Folder``."""
        self.need("e")
        return self.inner.expunge(uids)

    def remove(self, uids: Iterable[int]) -> list[int]:
        """See ``store.Folder``."""
        self.need("te")
        return self.inner.remove(uids)

    def copy(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """See ``store.Folder``."""
        self.need("r")
        return copy(self.inner, uids, target, kept)

    def move(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """See ``store.Folder``. RFC 6851 3.3: what COPY, STORE and EXPUNGE together need."""
        self.need("rte")
        return move(self.inner, uids, target, kept)

    def close(self) -> None:
        """See ``store.Folder``."""
        self.inner.close()


def copy(
    source: Folder, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
) -> list[tuple[int, int]]:
    """Copy to any folder, as far as its list allows."""
    inner, kept = _entered(target, kept)
    return source.copy(uids, inner, kept)


def move(
    source: Folder, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
) -> list[tuple[int, int]]:
    """Move to any folder, as far as its list allows."""
    inner, kept = _entered(target, kept)
    return source.move(uids, inner, kept)


def check_readable(folder: Folder) -> None:
    """Raise ``NoPermission`` where a folder's list no longer lets it be read; before an answer
    that comes from memory."""
    if isinstance(folder, GuardedFolder):
        folder.need("r")


def _entered(target: Folder, kept: Allowed) -> tuple[Folder, Allowed]:
    if not isinstance(target, GuardedFolder):
        return target, kept
    # RFC 4314 4: "i" to copy at all, "s", "t" and "w" for the flags to come along.
    target.need("i")
    may = allowed_by(target.rights)
    return target.inner, Allowed(kept.flags & may.flags, kept.keywords and may.keywords)


def demand(rights: str, wanted: str, what: str) -> None:
    """Raise ``NoPermission`` unless all the rights ``wanted`` are there.

    RFC 4314 6: who may not look a folder up is not told that there is one.
    """
    if set(wanted) <= set(rights):
        return
    if "l" not in rights:
        raise NoSuchFolder(what)
    raise NoPermission(f"{what}: {wanted} wanted, {rights} there")
