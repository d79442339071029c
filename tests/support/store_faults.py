"""Operations on a store, what each may and must leave behind, and a world to do them in.

Used twice: with a step that fails (the process lives on), and with SIGKILL at a step.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.store import AccountRef, Delivery, Finding, FlagsOp
from mailnode.store.acl import Entry, Person
from mailnode.store.check import Checker
from tests.support.mail_store import REF, OpenStore, message, subject

OTHER = AccountRef("other@example.test", "example.test/other/")
READER = "bob@example.test"
NEWCOMER = AccountRef("new@example.test", "example.test/new/")
FIRST = [f"m{n}" for n in range(1, 6)]

# Folder (of REF, or "other:"/"new:" and a folder) to how often each subject is in it.
Contents = dict[str, Counter[str]]


def build_world(base: Path) -> None:
    """INBOX of REF with UIDs 1 to 5, Archive with one, OTHER with one; a foreign file waits."""
    one = OpenStore(base)
    inbox, archive = one.folder(), one.folder("Archive")
    inbox.append([message(text) for text in FIRST])
    inbox.store_flags([5], FlagsOp.ADD, Flag.SEEN, frozenset({"old"}))
    archive.append([message("kept")])
    inbox.close()
    archive.close()
    one.deliver("theirs", ref=OTHER)
    one.close()


def copy_world(template: Path, base: Path) -> Path:
    """A fresh copy of a built world."""
    shutil.copytree(template, base, symlinks=True)
    return base


def contents(one: OpenStore) -> Contents:
    """Subjects by folder, as the store serves them. Opens and adopts everything."""
    found: Contents = {}
    for prefix, ref in (("", REF), ("other:", OTHER), ("new:", NEWCOMER)):
        if not (one.root / ref.maildir).exists():
            continue
        account = one.store.account(ref)
        for info in account.folders():
            if info.selectable:
                folder = account.open(info.name)
                uids = folder.refresh().uids
                found[prefix + info.name] = Counter(subject(folder.read(uid)) for uid in uids)
                folder.close()
    return found


def settle(one: OpenStore) -> None:
    """A writer in every folder, so that whatever a dead one began is finished."""
    for ref in (REF, OTHER, NEWCOMER):
        if not (one.root / ref.maildir).exists():
            continue
        account = one.store.account(ref)
        for info in account.folders():
            if info.selectable:
                folder = account.open(info.name)
                folder.refresh()
                folder.append([message("after")])
                folder.close()


def findings(one: OpenStore) -> list[Finding]:
    """What the checker says."""
    return list(Checker(one.root, SystemClock()).everything())


@dataclass(frozen=True)
class Operation:
    """``run`` returns only when it acknowledges. ``adds`` are (folder, subject) that an
    acknowledgement makes sure of, ``takes`` those it removes; ``moves``: a subject is in one of
    two folders at least, whatever happens."""

    name: str
    run: Callable[[OpenStore], None]
    adds: tuple[tuple[str, str], ...] = ()
    takes: tuple[tuple[str, str], ...] = ()
    moves: tuple[tuple[str, str, str], ...] = ()
    check: Callable[[OpenStore], None] = lambda one: None

    def verify(self, after: Contents, *, acknowledged: bool) -> None:
        """Nothing acknowledged is lost, nothing else has gone."""
        safe = {("INBOX", text) for text in FIRST} | {
            ("Archive", "kept"),
            ("other:INBOX", "theirs"),
        }
        for folder, text in safe - set(self.takes):
            assert after[folder][text] >= 1, f"{text} is lost from {folder}"
        for folder, text in self.adds:
            count = after.get(folder, Counter())[text]
            assert count >= acknowledged, f"acknowledged {text} is not in {folder}"
            assert count <= 1, f"{text} is in {folder} {count} times"
        for folder, text in self.takes if acknowledged else ():
            assert not after.get(folder, Counter())[text], f"{text} came back to {folder}"
        for text, source, target in self.moves:
            both = after.get(source, Counter())[text] + after.get(target, Counter())[text]
            assert both >= 1, f"{text} is in neither {source} nor {target}"


def _accept(one: OpenStore, batch: Iterable[Delivery]) -> None:
    outcomes = one.store.accept(list(batch))
    if not all(outcome.ok for outcome in outcomes):
        raise ConnectionError(str(outcomes))  # any error: not acknowledged as a whole


def _deliver(one: OpenStore) -> None:
    _accept(one, [Delivery(REF, message("d1"))])


def _deliver_many(one: OpenStore) -> None:
    _accept(
        one,
        [
            Delivery(REF, message("d1")),
            Delivery(OTHER, message("d1")),
            Delivery(REF, message("d2", Flag.SEEN, frozenset({"fresh"})), "Archive"),
            Delivery(REF, message("d3")),
        ],
    )


def _deliver_to_newcomer(one: OpenStore) -> None:
    _accept(one, [Delivery(NEWCOMER, message("d1"))])


def _append(one: OpenStore) -> None:
    folder = one.folder()
    try:
        folder.append([message("a1"), message("a2", Flag.DRAFT, frozenset({"fresh", "old"}))])
    finally:
        folder.close()


def _copy(one: OpenStore) -> None:
    inbox, archive = one.folder(), one.folder("Archive")
    try:
        inbox.copy([1, 5], archive)
    finally:
        inbox.close()
        archive.close()


def _move(one: OpenStore) -> None:
    inbox, archive = one.folder(), one.folder("Archive")
    try:
        inbox.move([1, 5], archive)
    finally:
        inbox.close()
        archive.close()


def _flag(one: OpenStore) -> None:
    folder = one.folder()
    try:
        folder.store_flags([1, 2, 5], FlagsOp.REPLACE, Flag.FLAGGED, frozenset({"fresh"}))
    finally:
        folder.close()


def _flagged(one: OpenStore) -> None:
    folder = one.folder()
    folder.refresh()
    for info in folder.infos([1, 2, 5]):
        assert (info.flags, info.keywords) == (Flag.FLAGGED, {"fresh"}), info
    folder.close()


def _read(one: OpenStore) -> None:
    """A reader of a shared folder marks some as seen and flags them."""
    folder = one.store.account(REF).open("INBOX", reader=READER)
    try:
        flags = Flag.SEEN | Flag.FLAGGED
        folder.store_flags([1, 2, 5], FlagsOp.REPLACE, flags, frozenset({"fresh"}))
    finally:
        folder.close()


def _was_read(one: OpenStore) -> None:
    for reader, flags in ((READER, Flag.SEEN | Flag.FLAGGED), ("else", Flag.FLAGGED)):
        folder = one.store.account(REF).open("INBOX", reader=reader)
        folder.refresh()
        assert {info.flags for info in folder.infos([1, 2, 5])} == {flags}
        folder.close()


def _move_to_other(one: OpenStore) -> None:
    inbox = one.folder()
    target = one.store.account(OTHER).open("INBOX", reader=REF.user)
    try:
        inbox.move([1, 5], target)
    finally:
        inbox.close()
        target.close()


def _share(one: OpenStore) -> None:
    account = one.store.account(REF)
    account.change_acl("Archive", lambda acl: acl.replaced(Entry(READER, "lr")))


def _shared(one: OpenStore) -> None:
    assert one.store.account(REF).acl("Archive").entries == (Entry(READER, "lr"),)
    found = one.store.sharers(Person(READER), everywhere=False)
    assert set(found) == {REF.user}


def _remove(one: OpenStore) -> None:
    folder = one.folder()
    try:
        folder.remove([1, 5])
    finally:
        folder.close()


def _look(one: OpenStore) -> None:
    """Mail that another program delivered is adopted."""
    folder = one.folder()
    try:
        folder.refresh(rescan=True)
        folder.claim_recent()
    finally:
        folder.close()


def _rename(one: OpenStore) -> None:
    one.store.account(REF).rename("Archive", "Old/Archive")


def _rename_inbox(one: OpenStore) -> None:
    one.store.account(REF).rename("INBOX", "Old")


def _create(one: OpenStore) -> None:
    one.store.account(REF).create("Fresh", "\\Flagged")


def _created(one: OpenStore) -> None:
    assert "Fresh" in {info.name for info in one.store.account(REF).folders()}


def _delete(one: OpenStore) -> None:
    one.store.account(REF).delete("Archive")


def _subscribe(one: OpenStore) -> None:
    one.store.account(REF).subscribe("Archive/x", True)


def _subscribed(one: OpenStore) -> None:
    assert {"Archive/x", "INBOX"} <= set(one.store.account(REF).subscriptions())


def _in(folder: str, *texts: str) -> tuple[tuple[str, str], ...]:
    return tuple((folder, text) for text in texts)


OPERATIONS = [
    Operation("deliver", _deliver, adds=_in("INBOX", "d1")),
    Operation(
        "deliver-many",
        _deliver_many,
        adds=(*_in("INBOX", "d1", "d3"), ("other:INBOX", "d1"), ("Archive", "d2")),
    ),
    Operation("deliver-to-newcomer", _deliver_to_newcomer, adds=_in("new:INBOX", "d1")),
    Operation("append", _append, adds=_in("INBOX", "a1", "a2")),
    Operation("copy", _copy, adds=_in("Archive", "m1", "m5")),
    Operation(
        "move",
        _move,
        adds=_in("Archive", "m1", "m5"),
        takes=_in("INBOX", "m1", "m5"),
        moves=(("m1", "INBOX", "Archive"), ("m5", "INBOX", "Archive")),
    ),
    Operation("flag", _flag, check=_flagged),
    Operation("read", _read, check=_was_read),
    Operation(
        "move-to-other",
        _move_to_other,
        adds=_in("other:INBOX", "m1", "m5"),
        takes=_in("INBOX", "m1", "m5"),
        moves=(("m1", "INBOX", "other:INBOX"), ("m5", "INBOX", "other:INBOX")),
    ),
    Operation("share", _share, check=_shared),
    Operation("remove", _remove, takes=_in("INBOX", "m1", "m5")),
    Operation("look", _look),
    Operation(
        "rename",
        _rename,
        adds=_in("Old/Archive", "kept"),
        takes=_in("Archive", "kept"),
        moves=(("kept", "Archive", "Old/Archive"),),
    ),
    Operation(
        "rename-inbox",
        _rename_inbox,
        adds=_in("Old", *FIRST),
        takes=_in("INBOX", *FIRST),
        moves=tuple((text, "INBOX", "Old") for text in FIRST),
    ),
    Operation("create", _create, check=_created),
    Operation("delete", _delete, takes=_in("Archive", "kept")),
    Operation("subscribe", _subscribe, check=_subscribed),
]
