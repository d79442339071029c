"""A store in memory that obeys the Protocols of ``mailnode.store``; thread-safe, no disk.

Pictures are tuples; the folder remembers each change with its modseq, so ``diff`` and
``vanished_since`` are answered from the pictures and that history.
"""

from __future__ import annotations

import io
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from mailnode.model.errors import (
    BadFolderName,
    FolderExists,
    NoSuchFolder,
    NoSuchMessage,
    OverQuota,
    TooManyAnnotations,
)
from mailnode.model.flags import Flag
from mailnode.model.rights import ALL_RIGHTS
from mailnode.model.status import Outcome, Verdict
from mailnode.store import (
    EVERYTHING,
    Account,
    AccountRef,
    Allowed,
    Delivery,
    FlagsOp,
    Folder,
    FolderInfo,
    FolderStatus,
    MessageInfo,
    NewMessage,
    Picture,
    PictureDiff,
    QuotaUse,
    StoreResult,
    account_key,
    share_key,
)
from mailnode.store.acl import NOBODY, Acl, Person
from mailnode.store.lines import NO_LINES, SPAN, Block, merge
from mailnode.store.shares import heard_by, stands_under
from mailnode.wire.mime.sortkeys import make_keys
from mailnode.wire.mime.structure import to_crlf
from mailnode.wire.mime.surrogate import make_growth

USUAL = (
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)


@dataclass(slots=True)
class Kept:
    """A message with its bytes."""

    info: MessageInfo
    data: bytes


def whole(message: NewMessage) -> bytes:
    """The bytes of a message, whatever its chunks are."""
    parts = []
    for chunk in message.chunks:
        if isinstance(chunk, (bytes, memoryview)):
            parts.append(bytes(chunk))
            continue
        size = os.fstat(chunk.fileno()).st_size
        parts.append(os.pread(chunk.fileno(), size, 0))
    return b"".join(parts)


class FakeFolder:
    """One folder; every session gets the same object."""

    read_only = False
    rights, private_seen = ALL_RIGHTS, False

    def __init__(self, account: FakeAccount, name: str, uidvalidity: int) -> None:
        self.account = account
        self.name = name
        self.key = f"{account.ref.maildir}\0{name}"
        self.mailbox_id = f"M{uidvalidity}"
        self.uidvalidity = uidvalidity
        self.uidnext = 1
        self.modseq = 1
        self.recent_from = 1
        self.kept: dict[int, Kept] = {}
        self.vanished: list[tuple[int, int]] = []
        self.texts: dict[int, str] = {}
        self.line_blocks: dict[str, dict[int, Block]] = {}
        self.keywords: list[str] = []
        self.gone = False
        self.notes: dict[tuple[str, str], bytes] = {}
        self.list = NOBODY
        # By reader, then UID: the modseq of what was last said, and whether seen.
        self.readers: dict[str, dict[int, tuple[int, bool]]] = {}
        self.opens = 0
        self._picture: Picture | None = None

    @property
    def lock(self) -> threading.RLock:
        return self.account.store.lock

    def refresh(self, rescan: bool = False) -> Picture:
        with self.lock:
            if self.gone:
                raise NoSuchFolder(self.name)
            if self._picture is None:
                self._picture = self._paint()
            return self._picture

    def _paint(self) -> Picture:
        infos = [kept.info for _, kept in sorted(self.kept.items())]
        for info in infos:
            self.keywords += sorted(info.keywords - set(self.keywords))
        spot = {keyword: 1 << at for at, keyword in enumerate(self.keywords)}
        return Picture(
            uidvalidity=self.uidvalidity,
            uidnext=self.uidnext,
            highestmodseq=self.modseq,
            uids=tuple(info.uid for info in infos),
            flags=tuple(int(info.flags) for info in infos),
            modseqs=tuple(info.modseq for info in infos),
            keyword_bits=tuple(sum(spot[word] for word in info.keywords) for info in infos),
            keywords=tuple(self.keywords),
        )

    def picture(self) -> Picture:
        return self.refresh()

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        before = dict(zip(old.uids, old.modseqs, strict=True))
        after = dict(zip(new.uids, new.modseqs, strict=True))
        return PictureDiff(
            expunged=tuple(uid for uid in old.uids if uid not in after),
            added=tuple(uid for uid in new.uids if uid not in before),
            flagged=tuple(u for u in new.uids if u in before and before[u] != after[u]),
        )

    def acl(self) -> Acl:
        if self.gone:
            raise NoSuchFolder(self.name)
        return self.list

    def first_unseen(self, picture: Picture) -> int:
        unseen = (at for at, flags in enumerate(picture.flags) if not flags & Flag.SEEN)
        return next(unseen, -1)

    def claim_recent(self) -> range:
        with self.lock:
            found = range(self.recent_from, self.uidnext)
            self.recent_from = self.uidnext
            return found

    def peek_recent(self) -> range:
        return range(self.recent_from, self.uidnext)

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        with self.lock:
            return [self.kept[uid].info for uid in sorted(set(uids)) if uid in self.kept]

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        with self.lock:
            infos = [self.kept[uid].info for uid in uids if uid in self.kept]
            return {info.uid: (info.size, info.internal_date) for info in infos}

    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        found: list[bytes | None] = []
        for uid in uids:
            try:
                found.append(to_crlf(self.read(uid)))
            except NoSuchMessage:
                found.append(None)
        return found

    def read(self, uid: int) -> bytes:
        try:
            return self.kept[uid].data
        except KeyError:
            raise NoSuchMessage(str(uid)) from None

    def open(self, uid: int) -> BinaryIO:
        return io.BytesIO(self.read(uid))

    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        if kind == "growth":
            return {u: make_growth(head) for u, head in self.summaries(uids, "headers").items()}
        return {
            uid: self.account.store.summary(self.kept[uid].data, kind)
            for uid in uids
            if uid in self.kept
        }

    def may_contain(self, uids: Iterable[int], needle: str) -> dict[int, bool]:
        return {uid: uid in self.texts for uid in uids if needle in self.texts.get(uid, needle)}

    def keep_texts(self, texts: Mapping[int, str]) -> None:
        self.texts.update(texts)

    def lines(self, kind: str, numbers: Iterable[int]) -> dict[int, Block]:
        kept = self.line_blocks.get(kind, {})
        return {number: kept[number] for number in numbers if number in kept}

    def keep_lines(self, kind: str, lines: Mapping[int, bytes]) -> None:
        blocks = self.line_blocks.setdefault(kind, {})
        for uid, line in lines.items():
            number = uid // SPAN
            blocks[number] = merge(blocks.get(number, NO_LINES), {uid: line})

    def _changed(self) -> None:
        self._picture = None
        self.account.store.on_change(self.key, self.modseq)

    def _next_modseq(self) -> int:
        self.modseq += 1
        return self.modseq

    def _add(self, data: bytes, model: MessageInfo) -> int:
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.kept[uid] = Kept(replace(model, uid=uid, modseq=self._next_modseq()), data)
        return uid

    def append(self, messages: Sequence[NewMessage], spare_bytes: int = 0) -> list[int]:
        with self.lock:
            if self.gone:
                raise NoSuchFolder(self.name)
            bodies = [whole(message) for message in messages]
            limit = self.account.ref.quota_bytes
            used = self.account.quota().used_bytes - spare_bytes
            if limit and used + sum(map(len, bodies)) > limit:
                raise OverQuota
            uids = [
                self._add(
                    body,
                    MessageInfo(
                        0,
                        0,
                        message.flags,
                        message.keywords,
                        len(body),
                        message.internal_date,
                        self.account.store.now,
                        f"E{next(self.account.store.ids)}",
                        "",
                    ),
                )
                for message, body in zip(messages, bodies, strict=True)
            ]
            self._changed()
            return uids

    def store_flags(
        self,
        uids: Iterable[int],
        op: FlagsOp,
        flags: Flag,
        keywords: frozenset[str],
        unchanged_since: int | None = None,
        among: Allowed = EVERYTHING,
    ) -> StoreResult:
        changed: list[int] = []
        modified: list[int] = []
        gone: list[int] = []
        with self.lock:
            modseq = self.modseq + 1
            for uid in uids:
                kept = self.kept.get(uid)
                if kept is None:
                    gone.append(uid)
                elif unchanged_since is not None and kept.info.modseq > unchanged_since:
                    modified.append(uid)
                elif self._set(kept, op, flags, keywords, modseq, among):
                    changed.append(uid)
            if changed:
                self.modseq = modseq
                self._changed()
            return StoreResult(tuple(changed), tuple(modified), tuple(gone), self.modseq)

    def _set(
        self,
        kept: Kept,
        op: FlagsOp,
        flags: Flag,
        words: frozenset[str],
        modseq: int,
        among: Allowed,
    ) -> bool:
        info = kept.info
        flags, words = flags & among.flags, words if among.keywords else frozenset()
        new = flags | info.flags & ~among.flags
        new_words = words if among.keywords else info.keywords
        if op is FlagsOp.ADD:
            new, new_words = info.flags | flags, info.keywords | words
        elif op is FlagsOp.REMOVE:
            new, new_words = info.flags & ~flags, info.keywords - words
        if (new, new_words) == (info.flags, info.keywords):
            return False
        kept.info = replace(info, flags=new, keywords=new_words, modseq=modseq)
        return True

    def expunge(self, uids: Iterable[int] | None = None) -> list[int]:
        with self.lock:
            among = self.kept.keys() if uids is None else set(uids) & self.kept.keys()
            return self.remove([u for u in among if self.kept[u].info.flags & Flag.DELETED])

    def remove(self, uids: Iterable[int]) -> list[int]:
        with self.lock:
            found = sorted(uid for uid in set(uids) if uid in self.kept)
            if found:
                modseq = self._next_modseq()
                for uid in found:
                    del self.kept[uid]
                    self.vanished.append((modseq, uid))
                self._changed()
            return found

    def copy(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        there = target.folder if isinstance(target, FakePrivateFolder) else target
        assert isinstance(there, FakeFolder)
        with self.lock:
            if there.gone:
                raise NoSuchFolder(there.name)
            found = [self.kept[uid] for uid in uids if uid in self.kept]
            there.account.make_room(found)
            return self._bring(found, target, kept)

    def move(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        there = target.folder if isinstance(target, FakePrivateFolder) else target
        assert isinstance(there, FakeFolder)
        with self.lock:
            found = [self.kept[uid] for uid in uids if uid in self.kept]
            if there.account is not self.account:
                there.account.make_room(found)
            pairs = self._bring(found, target, kept)
            self.remove([old for old, _ in pairs])
            return pairs

    def _bring(self, found: list[Kept], target: Folder, may: Allowed) -> list[tuple[int, int]]:
        assert isinstance(target, FakeFolder | FakePrivateFolder)
        pairs = []
        for one in found:
            flags = self.shown(one.info).flags & may.flags
            words = one.info.keywords if may.keywords else frozenset[str]()
            info = replace(one.info, flags=flags, keywords=words)
            pairs.append((one.info.uid, target.take(one.data, info)))
        if pairs:
            target.changed()
        return pairs

    def shown(self, info: MessageInfo) -> MessageInfo:
        """A message as whoever has this open sees it."""
        return info

    def take(self, data: bytes, info: MessageInfo) -> int:
        """Add a message; its UID."""
        return self._add(data, info)

    def changed(self) -> None:
        """Tell of it."""
        self._changed()

    def vanished_since(self, modseq: int, known: Iterable[int] | None = None) -> list[int] | None:
        wanted = None if known is None else set(known)
        return sorted(u for at, u in self.vanished if at > modseq and (not wanted or u in wanted))

    def status(self) -> FolderStatus:
        with self.lock:
            infos = [kept.info for kept in self.kept.values()]
            return FolderStatus(
                messages=len(infos),
                recent=sum(info.uid >= self.recent_from for info in infos),
                unseen=sum(not info.flags & Flag.SEEN for info in infos),
                deleted=sum(bool(info.flags & Flag.DELETED) for info in infos),
                uidnext=self.uidnext,
                uidvalidity=self.uidvalidity,
                highestmodseq=self.modseq,
                size=sum(info.size for info in infos),
                mailbox_id=self.mailbox_id,
                deleted_size=sum(info.size for info in infos if info.flags & Flag.DELETED),
            )

    def close(self) -> None:
        self.opens -= 1
        assert self.opens >= 0, "closed more often than opened"


class FakePrivateFolder(FakeFolder):
    """A folder with one reader's own ``\\Seen``; kept in the folder itself."""

    private_seen = True

    def __init__(self, folder: FakeFolder, reader: str) -> None:
        self.folder, self.reader = folder, reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.folder, name)

    def _said(self, uid: int) -> tuple[int, bool]:
        return self.folder.readers.get(self.reader, {}).get(uid, (0, False))

    def shown(self, info: MessageInfo) -> MessageInfo:
        modseq, seen = self._said(info.uid)
        flags = info.flags & ~Flag.SEEN | (Flag.SEEN if seen else Flag(0))
        return replace(info, flags=flags, modseq=max(modseq, info.modseq))

    def refresh(self, rescan: bool = False) -> Picture:
        with self.lock:
            common = self.folder.refresh(rescan)
            known = self.__dict__.get("_mine")
            if known is not None and known[0] is common:
                return known[1]
            infos = [self.shown(self.folder.kept[uid].info) for uid in common.uids]
            own = replace(
                common,
                flags=tuple(int(info.flags) for info in infos),
                modseqs=tuple(info.modseq for info in infos),
            )
            self._mine = (common, own)
            return own

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        with self.lock:
            return [self.shown(info) for info in self.folder.infos(uids)]

    def append(self, messages: Sequence[NewMessage], spare_bytes: int = 0) -> list[int]:
        with self.lock:
            bare = [replace(m, flags=m.flags & ~Flag.SEEN) for m in messages]
            uids = self.folder.append(bare, spare_bytes)
            for uid, message in zip(uids, messages, strict=True):
                self._say(uid, bool(message.flags & Flag.SEEN))
            self.folder._changed()
            return uids

    def _say(self, uid: int, seen: bool) -> None:
        if seen != self._said(uid)[1]:
            said = self.folder.readers.setdefault(self.reader, {})
            said[uid] = (self.folder.kept[uid].info.modseq, seen)

    def take(self, data: bytes, info: MessageInfo) -> int:
        uid = self.folder._add(data, replace(info, flags=info.flags & ~Flag.SEEN))
        self._say(uid, bool(info.flags & Flag.SEEN))
        return uid

    def _changed(self) -> None:
        self.folder._changed()

    def claim_recent(self) -> range:
        return self.folder.claim_recent()

    def remove(self, uids: Iterable[int]) -> list[int]:
        return self.folder.remove(uids)

    def store_flags(
        self,
        uids: Iterable[int],
        op: FlagsOp,
        flags: Flag,
        keywords: frozenset[str],
        unchanged_since: int | None = None,
        among: Allowed = EVERYTHING,
    ) -> StoreResult:
        with self.lock:
            folder, wanted = self.folder, sorted(set(uids))
            here = [self.shown(folder.kept[uid].info) for uid in wanted if uid in folder.kept]
            since = folder.modseq if unchanged_since is None else unchanged_since
            modified = [info.uid for info in here if info.modseq > since]
            todo = [info.uid for info in here if info.uid not in modified]
            touched = among.flags & Flag.SEEN and (op is FlagsOp.REPLACE or flags & Flag.SEEN)
            on = op is not FlagsOp.REMOVE and bool(flags & Flag.SEEN)
            mine = [uid for uid in todo if touched and self._said(uid)[1] != on]
            common = replace(among, flags=among.flags & ~Flag.SEEN)
            modseq = folder.modseq + 1
            done = folder.store_flags(todo, op, flags, keywords, None, common)
            for uid in mine:
                folder.readers.setdefault(self.reader, {})[uid] = (modseq, on)
            if mine:
                folder.modseq = modseq
                folder._changed()
            gone = tuple(uid for uid in wanted if uid not in folder.kept)
            changed = tuple(sorted({*mine, *done.changed}))
            return StoreResult(changed, tuple(modified), gone, folder.modseq)

    def status(self) -> FolderStatus:
        with self.lock:
            flags = self.refresh().flags
            unseen = sum(not bits & Flag.SEEN for bits in flags)
            return replace(self.folder.status(), unseen=unseen)

    def close(self) -> None:
        self.folder.close()


class FakeAccount:
    """One user's folders."""

    def __init__(self, store: FakeStore, ref: AccountRef) -> None:
        self.store = store
        self.ref = ref
        self.kept: dict[str, FakeFolder] = {}
        self.uses: dict[str, str] = {}
        self.subscribed: set[str] = set()
        self.notes: dict[tuple[str, str], bytes] = {}
        self.parent_notes: dict[str, dict[tuple[str, str], bytes]] = {}
        self.create("INBOX")
        for name, use in () if ref.user.startswith("/public/") else USUAL:
            self.create(name, use)
            self.subscribe(name, True)

    def folders(self) -> list[FolderInfo]:
        with self.store.lock:
            names = set(self.kept)
            for name in self.kept:
                levels = name.split("/")
                names |= {"/".join(levels[:depth]) for depth in range(1, len(levels))}
            order = sorted(names, key=lambda name: (name != "INBOX", name))
            return [
                FolderInfo(
                    name,
                    name in self.kept,
                    any(other.startswith(name + "/") for other in names),
                    name in self.subscribed,
                    self.uses.get(name, ""),
                )
                for name in order
            ]

    def use_for(self, name: str, use: str) -> None:
        with self.store.lock:
            self._folder(name)
            if name == "INBOX":
                raise BadFolderName(name, "INBOX has a use of its own")
            self.uses = {other: its for other, its in self.uses.items() if its != use}
            self.uses[name] = use
            self._tell()

    def create(self, name: str, use: str = "") -> str:
        with self.store.lock:
            if name in self.kept:
                raise FolderExists(name)
            odd = any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in name)
            if not name or "//" in name or name.startswith("/") or len(name) > 200 or odd:
                raise BadFolderName(name)
            self.kept[name] = FakeFolder(self, name, next(self.store.validities))
            self.kept[name].list = self._inherited(name)
            if use:
                self.uses = {other: its for other, its in self.uses.items() if its != use}
                self.uses[name] = use
            self.kept[name].notes.update(self.parent_notes.pop(name, {}))
            self._tell()
            return self.kept[name].mailbox_id

    def _inherited(self, name: str) -> Acl:
        levels = name.split("/")
        for depth in range(len(levels) - 1, 0, -1):
            above = self.kept.get("/".join(levels[:depth]))
            if above is not None:
                return above.list
        public = self.ref.user.startswith("/public/") and "INBOX" in self.kept
        return self.kept["INBOX"].list if public else NOBODY

    def hint_keys(self) -> list[str]:
        return [account_key(self.ref)]

    def acl(self, name: str) -> Acl:
        with self.store.lock:
            return self._folder(name).list

    def change_acl(self, name: str, change: Callable[[Acl], Acl]) -> Acl:
        with self.store.lock:
            folder = self._folder(name)
            before, folder.list = self.grantees(), change(folder.list)
            self._tell()
            self.store.on_change(folder.key, 0)
            for identifier in before ^ self.grantees():
                self.store.on_change(share_key(identifier), 0)
            return folder.list

    def grantees(self) -> set[str]:
        names = {name for folder in self.kept.values() for name in folder.list.grantees()}
        return stands_under(Person(self.ref.user), names)

    def _folder(self, name: str) -> FakeFolder:
        try:
            return self.kept[name]
        except KeyError:
            raise NoSuchFolder(name) from None

    def delete(self, name: str) -> None:
        with self.store.lock:
            if name == "INBOX":
                raise BadFolderName(name)
            self._folder(name).gone = True
            self.store.on_change(self.kept.pop(name).key, 0)
            self.uses.pop(name, None)
            for parent in [up for up in self.parent_notes if not self._is_parent(up)]:
                del self.parent_notes[parent]
            self._tell()

    def rename(self, old: str, new: str) -> None:
        with self.store.lock:
            if old == "INBOX":
                self.create(new)
                inbox = self.kept[old]
                self.kept[new].notes.update(inbox.notes)
                inbox.move(list(inbox.kept), self.kept[new])
                return
            below = [name for name in self.kept if name == old or name.startswith(old + "/")]
            if not below:
                raise NoSuchFolder(old)
            if new in self.kept:
                raise FolderExists(new)
            if not new or "//" in new or new.startswith(old + "/"):
                raise BadFolderName(new)
            for name in below:
                folder = self.kept.pop(name)
                folder.name = new + name[len(old) :]
                self.kept[folder.name] = folder
                if name in self.uses:
                    self.uses[folder.name] = self.uses.pop(name)
            for name in [up for up in self.parent_notes if f"{up}/".startswith(f"{old}/")]:
                self.parent_notes[new + name[len(old) :]] = self.parent_notes.pop(name)
            self._tell()

    def subscribe(self, name: str, on: bool) -> None:
        with self.store.lock:
            (self.subscribed.add if on else self.subscribed.discard)(name)
            self._tell()

    def _tell(self) -> None:
        self.store.on_change(account_key(self.ref), 0)

    def subscriptions(self) -> list[str]:
        with self.store.lock:
            return sorted(self.subscribed)

    def open(self, name: str, read_only: bool = False, reader: str = "") -> Folder:
        with self.store.lock:
            folder = self._folder(name)
            folder.opens += 1
            return FakePrivateFolder(folder, reader) if reader else folder

    def status(self, name: str) -> FolderStatus:
        with self.store.lock:
            return self._folder(name).status()

    def quota(self) -> QuotaUse:
        with self.store.lock:
            sizes = [len(k.data) for folder in self.kept.values() for k in folder.kept.values()]
            return QuotaUse(sum(sizes), len(sizes), self.ref.quota_bytes)

    def make_room(self, messages: Sequence[Kept]) -> None:
        """Raise ``OverQuota`` where there is none for these."""
        limit, size = self.ref.quota_bytes, sum(len(one.data) for one in messages)
        if limit and self.quota().used_bytes + size > limit:
            raise OverQuota

    def _is_parent(self, name: str) -> bool:
        return any(other.startswith(f"{name}/") for other in self.kept)

    def _notes(self, name: str) -> dict[tuple[str, str], bytes]:
        if name not in self.kept and self._is_parent(name):
            return self.parent_notes.setdefault(name, {})
        return self._folder(name).notes if name else self.notes

    def annotations(self, name: str, user: str) -> dict[str, bytes]:
        with self.store.lock:
            kept = self._notes(name)
            return {entry: value for (who, entry), value in kept.items() if who in ("", user)}

    def annotate(
        self, name: str, user: str, changes: Mapping[str, bytes | None], limit: int
    ) -> None:
        with self.store.lock:
            kept = self._notes(name)
            new = dict(kept)
            for entry, value in changes.items():
                key = (user if entry.startswith("/private/") else "", entry)
                new.pop(key, None)
                if value is not None:
                    new[key] = value
            if len(new) > max(limit, len(kept)):
                raise TooManyAnnotations
            folder = self.kept.get(name)
            if folder is not None and new != kept:
                folder.modseq += 1  # RFC 7162 3.2
                folder.changed()
            kept.clear()
            kept.update(new)
            self._tell()


def _nothing(key: str, modseq: int) -> None:
    """Nobody listens."""


def _no_summary(data: bytes, kind: str) -> bytes:
    headers = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    if kind == "sortkeys":
        return make_keys(headers)
    return headers if kind == "headers" else b"NIL"


class FakeStore:
    """All accounts; ``on_change`` as the real one's. ``summary`` makes ready-to-send bytes."""

    now = 1_700_000_000.0

    def __init__(
        self,
        on_change: Callable[[str, int], None] = _nothing,
        summary: Callable[[bytes, str], bytes] = _no_summary,
    ) -> None:
        self.lock = threading.RLock()
        self.on_change = on_change
        self.summary = summary
        self.accounts: dict[str, FakeAccount] = {}
        self.ids = itertools.count(1)
        self.validities = itertools.count(1_700_000_001)

    def guard(self) -> None:
        """Always there."""

    def account(self, ref: AccountRef) -> Account:
        with self.lock:
            found = self.accounts.get(ref.user)
            if found is None:
                found = self.accounts[ref.user] = FakeAccount(self, ref)
            found.ref = ref
            return found

    def find(self, ref: AccountRef) -> Account | None:
        with self.lock:
            return self.account(ref) if ref.user in self.accounts else None

    def sharers(self, person: Person, everywhere: bool, only: str = "") -> dict[str, str]:
        under = set(heard_by(person, everywhere))
        with self.lock:
            return {
                user: account.ref.maildir
                for user, account in self.accounts.items()
                if user != person.user
                and only in ("", user)
                and (everywhere or Person(user).domain == person.domain)
                and account.grantees() & under
            }

    def accept(self, batch: Sequence[Delivery]) -> list[Outcome]:
        for delivery in batch:
            folder = self.account(delivery.account).open(delivery.folder)
            folder.append([delivery.message])
            folder.close()
        return [Outcome(Verdict.DONE, "2.0.0", "stored")] * len(batch)
