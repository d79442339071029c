"""What a client wants to hear of without asking (NOTIFY), and what it has been told so far.

Promises: everything is told by comparing what is with what was told, so a lost or repeated hint
does no harm; the number of folders watched is bounded; nothing is queued.
Fails: ``Overflow`` when there are more folders to be watched than a session may.
RFC: 5465 5, 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.store import Account, FolderInfo, FolderStatus
from mailnode.wire.imap.notify_args import (
    MESSAGE_EVENTS,
    SELECTED,
    EventGroup,
    NotifyEvent,
    Which,
)

Subscribe = Callable[[str, Callable[[int], None]], Callable[[], None]]


class Overflow(Exception):
    """Too much to watch."""


@dataclass(slots=True)
class Seen:
    """A folder as the client knows it."""

    key: str
    status: FolderStatus
    notes: dict[str, bytes]
    silence: Callable[[], None] | None = None


@dataclass(slots=True)
class Known:
    """The account as the client knows it."""

    folders: dict[str, FolderInfo] = field(default_factory=dict)
    subscribed: frozenset[str] = frozenset()
    notes: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Found:
    """What a look has brought to light, to be told in this order."""

    vanished: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)  # old name, new name
    listed: list[str] = field(default_factory=list)  # made, or with other attributes
    subscriptions: list[str] = field(default_factory=list)
    notes: list[tuple[str, list[str]]] = field(default_factory=list)
    statuses: list[tuple[str, FolderStatus, FolderStatus]] = field(default_factory=list)


class Wishes:
    """The groups of a NOTIFY command: which events are wanted of which folder."""

    def __init__(self, groups: Iterable[EventGroup], elsewhere: tuple[str, ...] = ()) -> None:
        groups = tuple(groups)
        self._elsewhere = elsewhere  # what names of mailboxes begin with that are not personal
        chosen = next((group for group in groups if group.which in SELECTED), None)
        self.selected = chosen.events if chosen else frozenset[NotifyEvent]()
        self.items = chosen.items if chosen else ()
        self.delayed = chosen is not None and chosen.which is Which.SELECTED_DELAYED
        self._others = tuple(group for group in groups if group.which not in SELECTED)
        self.server = any(NotifyEvent.SERVER_METADATA in group.events for group in self._others)

    def of(self, name: str, subscribed: frozenset[str]) -> frozenset[NotifyEvent]:
        """The events wanted of a folder that is not selected."""
        events = frozenset[NotifyEvent]()
        for group in self._others:
            if self._covers(group, name, subscribed):
                events |= group.events
        return events

    def _covers(self, group: EventGroup, name: str, subscribed: frozenset[str]) -> bool:
        if group.which is Which.SUBSCRIBED:
            return name in subscribed
        if group.which is Which.MAILBOXES:
            return name in group.names
        if group.which is Which.SUBTREE:
            return any((name + "/").startswith(above + "/") for above in group.names)
        # RFC 5465 6.3: where mail may be delivered to anywhere, inboxes means personal.
        return not name.startswith(self._elsewhere)


class Watch:
    """One NOTIFY command in effect. ``look`` blocks; the rest is for the event loop."""

    def __init__(self, wishes: Wishes, user: str, limit: int) -> None:
        self.wishes = wishes
        self.held = False  # news of the selected folder wait for a command (SELECTED-DELAYED)
        self.own: set[str] = set()  # names that this session itself has changed
        self.account_changed = False
        self.changed: set[str] = set()
        self.seen: dict[str, Seen] = {}
        self.denied: list[str] = []  # to be looked up, but not read
        self._known = Known()
        self._user = user
        self._limit = limit
        self._keys = set[str]()  # whose hints tell of changes to the account
        self._silence: dict[str, Callable[[], None]] = {}
        self.on_added: Callable[[list[int]], Awaitable[None]] | None = None

    @property
    def tells_selected(self) -> bool:
        """Does the client want to hear of messages in the selected folder at all?"""
        return bool(self.wishes.selected)

    def restless(self, dirty: bool) -> bool:
        """Is there something to tell, given whether the selected folder has news?"""
        mine = dirty and self.tells_selected and not self.held
        return mine or self.account_changed or bool(self.changed)

    # ------------------------------------------------------------------ hints

    def listen(self, subscribe: Subscribe, wake: Callable[[], None]) -> None:
        """Hear of changes of the account and, as they come into view, of folders."""

        def account_heard(modseq: int) -> None:
            self.account_changed = True
            wake()

        for key in self._keys - self._silence.keys():
            self._silence[key] = subscribe(key, account_heard)
        for name, seen in self.seen.items():
            if seen.silence is None:
                seen.silence = subscribe(seen.key, self._folder_heard(name, wake))

    def _folder_heard(self, name: str, wake: Callable[[], None]) -> Callable[[int], None]:
        def heard(modseq: int) -> None:
            seen = self.seen.get(name)
            if seen is not None and (not modseq or modseq > seen.status.highestmodseq):
                self.changed.add(name)
                wake()

        return heard

    def mine(self, key: str, uids: Sequence[int]) -> None:
        """This session has put these messages into a folder: they are no news (RFC 5465 5)."""
        for seen in self.seen.values():
            if seen.key == key and uids and seen.status.uidnext == min(uids):
                messages = seen.status.messages + len(uids)
                seen.status = replace(seen.status, messages=messages, uidnext=max(uids) + 1)

    def close(self) -> None:
        """Hear nothing any more."""
        for silence in self._silence.values():
            silence()
        for seen in self.seen.values():
            _quiet(seen)
        self._silence.clear()
        self.seen.clear()
        self.changed.clear()
        self.account_changed = False

    # ------------------------------------------------------------------ looking

    def begin(self, account: Account) -> None:
        """Blocking: what is there is known. Raises ``Overflow``."""
        self._known = self._read_known(account)
        self._meet(account, self._known)

    def look(self, account: Account) -> Found:
        """Blocking: what is new since the last look. Raises ``Overflow``."""
        found = Found()
        changed, self.changed = self.changed, set()
        if self.account_changed:
            self.account_changed = False
            self._look_at_account(account, found)
        for name in sorted(changed & self.seen.keys()):
            self._look_at_folder(account, name, found)
        return found

    def _read_known(self, account: Account) -> Known:
        self._keys.update(account.hint_keys())
        folders = {info.name: info for info in account.folders()}
        notes = _digests(account.annotations("", self._user)) if self.wishes.server else {}
        return Known(folders, frozenset(account.subscriptions()), notes)

    def _meet(self, account: Account, known: Known) -> None:
        """Get to know the folders that are to be watched from now on."""
        for name, info in known.folders.items():
            if info.selectable and name not in self.seen and self._wanted(name, known):
                if len(self.seen) >= self._limit:
                    raise Overflow
                try:
                    self.seen[name] = self._read_folder(account, name)
                except NoPermission:
                    self.denied.append(name)
                except NoSuchFolder:
                    continue

    def _wanted(self, name: str, known: Known) -> bool:
        return bool(self.wishes.of(name, known.subscribed))

    def _read_folder(self, account: Account, name: str) -> Seen:
        folder = account.open(name, True)
        try:
            return Seen(
                folder.key, folder.status(), _digests(account.annotations(name, self._user))
            )
        finally:
            folder.close()

    def _look_at_account(self, account: Account, found: Found) -> None:
        old, new = self._known, self._read_known(account)
        own, self.own = self.own, set()
        gone = {name: self.seen.pop(name) for name in self.seen.keys() - _selectable(new)}
        for seen in gone.values():
            _quiet(seen)
        before = set(self.seen)
        self._meet(account, new)
        self._compare_names(old, new, gone, self.seen.keys() - before, own, found)
        for name in sorted((old.subscribed ^ new.subscribed) - own):
            events = self.wishes.of(name, old.subscribed | new.subscribed)
            if NotifyEvent.SUBSCRIPTION in events:
                found.subscriptions.append(name)
        self._compare_notes(account, old, new, own, found)
        self._known = new

    def _compare_names(
        self,
        old: Known,
        new: Known,
        gone: dict[str, Seen],
        fresh: Iterable[str],
        own: set[str],
        found: Found,
    ) -> None:
        ids = {seen.status.mailbox_id: name for name, seen in gone.items()}
        moved = {
            was: name
            for name in sorted(fresh)
            if (was := ids.get(self.seen[name].status.mailbox_id)) is not None
        }
        # RFC 5465 5.4: no events for the children of what was renamed.
        told = {was: name for was, name in moved.items() if not _with_parent(was, name, moved)}
        found.renamed += [
            pair
            for pair in sorted(told.items())
            if pair[1] not in own and self._names(pair[1], new)
        ]
        skip = set(moved) | set(moved.values()) | own | {parent for n in own for parent in _up(n)}
        for name in sorted(old.folders.keys() | new.folders.keys()):
            if name in skip or not self._names(name, new):
                continue
            if name not in new.folders:
                found.vanished.append(name)
            elif _look_of(old.folders.get(name)) != _look_of(new.folders[name]):
                found.listed.append(name)

    def _names(self, name: str, known: Known) -> bool:
        return NotifyEvent.NAME in self.wishes.of(name, known.subscribed)

    def _compare_notes(
        self, account: Account, old: Known, new: Known, own: set[str], found: Found
    ) -> None:
        changes = _differing(old.notes, new.notes)
        if changes and "" not in own:
            found.notes.append(("", changes))
        for name, seen in sorted(self.seen.items()):
            events = self.wishes.of(name, new.subscribed)
            if NotifyEvent.MAILBOX_METADATA not in events:
                continue
            try:
                notes = _digests(account.annotations(name, self._user))
            except NoSuchFolder:
                continue
            changes = _differing(seen.notes, notes)
            seen.notes = notes
            if changes and name not in own:
                found.notes.append((name, changes))

    def _look_at_folder(self, account: Account, name: str, found: Found) -> None:
        seen = self.seen[name]
        try:
            status = account.status(name)
        except NoSuchFolder:
            return  # the look at the account will tell
        old, seen.status = seen.status, status
        if status != old:
            found.statuses.append((name, old, status))

    def events_of(self, name: str) -> frozenset[NotifyEvent]:
        """Message events wanted of a folder that is not selected."""
        return self.wishes.of(name, self._known.subscribed) & MESSAGE_EVENTS


def _quiet(seen: Seen) -> None:
    if seen.silence is not None:
        seen.silence()
        seen.silence = None


def _digests(notes: dict[str, bytes]) -> dict[str, bytes]:
    return {name: blake2b(value, digest_size=8).digest() for name, value in notes.items()}


def _differing(old: dict[str, bytes], new: dict[str, bytes]) -> list[str]:
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _selectable(known: Known) -> set[str]:
    return {name for name, info in known.folders.items() if info.selectable}


def _look_of(info: FolderInfo | None) -> tuple[bool, bool] | None:
    return None if info is None else (info.selectable, info.has_children)


def _up(name: str) -> list[str]:
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]


def _with_parent(old: str, new: str, moved: dict[str, str]) -> bool:
    """Was the folder renamed because one above it was?"""
    tail = len(old)
    while (tail := old.rfind("/", 0, tail)) > 0:
        above, rest = old[:tail], old[tail:]
        if above in moved and moved[above] + rest == new:
            return True
    return False
