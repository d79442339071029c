"""What one user reaches of others' mail, on both stores: rights, room, moves between accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailnode.model.errors import NoPermission, NoSuchFolder, OverQuota
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, FlagsOp, Folder, Store, guarded
from mailnode.store.acl import Entry
from mailnode.store.shared import Spaces, public_ref
from mailnode.store.sharing import SharingStore
from tests.support.fake_store import FakeStore
from tests.support.mail_store import OpenStore, findings, message

ANN = AccountRef("ann@example.test", "example.test/ann")
BOB = AccountRef("bob@example.test", "example.test/bob")
EVE = AccountRef("eve@example.test", "example.test/eve")
BOX = f"Other Users/{ANN.user}/INBOX"
NONE: frozenset[str] = frozenset()


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield FakeStore()
        return
    opened = OpenStore(tmp_path)
    yield opened.store
    opened.close()
    assert findings(opened.root) == []


def give(store: Store, rights: str, folder: str = "INBOX") -> None:
    entry = Entry(BOB.user, rights)
    store.account(ANN).change_acl(folder, lambda acl: acl.replaced(entry))


def subjects(folder: Folder) -> list[int]:
    return list(folder.refresh().uids)


def test_rights_are_asked_at_every_step(store: Store) -> None:
    give(store, "lrswite")
    account = SharingStore(store, Spaces()).account(BOB)
    folder, own = account.open(BOX), account.open("INBOX")
    folder.append([message("a"), message("b")])
    uids = subjects(folder)
    give(store, "lr")
    assert subjects(folder) == uids
    for refused in (
        lambda: folder.append([message("c")]),
        lambda: folder.store_flags(uids, FlagsOp.ADD, Flag.SEEN, NONE),
        lambda: folder.expunge(),
        lambda: folder.remove(uids),
        lambda: folder.move(uids, own),
        lambda: guarded.move(own, [], folder),
        lambda: guarded.copy(folder, uids, folder),
    ):
        with pytest.raises(NoPermission):
            refused()
    assert [new for _, new in guarded.copy(folder, uids, own)] == [1, 2]
    give(store, "l")
    for refused in (
        lambda: folder.refresh(),
        lambda: folder.infos(uids),
        lambda: folder.read(uids[0]),
        lambda: folder.open(uids[0]),
        lambda: folder.summaries(uids, "headers"),
        lambda: folder.may_contain(uids, "a"),
        lambda: folder.status(),
        lambda: folder.copy(uids, own),
    ):
        with pytest.raises(NoPermission):
            refused()
    give(store, "")
    with pytest.raises(NoSuchFolder) as raised:
        folder.refresh()
    assert not isinstance(raised.value, NoPermission)
    with pytest.raises(NoSuchFolder):
        account.open(BOX)
    folder.close()
    own.close()


def test_room_is_the_owners_and_public_mail_has_no_limit(store: Store) -> None:
    give(store, "lri")
    size = len(message("a").chunks[0])  # type: ignore[arg-type]  # bytes, as message makes them
    limited = SharingStore(store, Spaces(), lambda ref: replace(ref, quota_bytes=2 * size + 1))
    account = limited.account(replace(BOB, quota_bytes=size))
    own, folder = account.open("INBOX"), account.open(BOX)
    own.append([message("a")])
    with pytest.raises(OverQuota):
        own.append([message("b")])
    folder.append([message("a")])
    guarded.copy(own, [1], folder)
    with pytest.raises(OverQuota):
        guarded.copy(own, [1], folder)
    with pytest.raises(OverQuota):
        guarded.move(own, [1], folder)
    with pytest.raises(OverQuota):
        folder.append([message("c")])
    assert (len(subjects(own)), len(subjects(folder))) == (1, 2)
    assert account.quota_of(ANN.user).used_bytes == 2 * size
    public = store.account(public_ref("example.test"))
    public.create("Desk")
    public.change_acl("Desk", lambda acl: acl.replaced(Entry("anyone", "lri")))
    desk = account.open("Public/Desk")
    desk.append([message(str(n)) for n in range(9)])
    assert account.quota_of("").limit_bytes == 0
    for one in (own, folder, desk):
        one.close()


def test_two_who_move_one_message_to_their_own_get_it_once(store: Store) -> None:
    public = store.account(public_ref("example.test"))
    public.create("Desk")
    public.change_acl("Desk", lambda acl: acl.replaced(Entry("anyone", "lrite")))
    desks, boxes = [], []
    for ref in (BOB, EVE):
        account = SharingStore(store, Spaces()).account(ref)
        desks.append(account.open("Public/Desk"))
        boxes.append(account.open("INBOX"))
    desks[0].append([message("a")])
    for desk in desks:
        assert subjects(desk) == [1]
    moved = [guarded.move(desk, [1], box) for desk, box in zip(desks, boxes, strict=True)]
    assert moved == [[(1, 1)], []]
    assert [subjects(one) for one in (*desks, *boxes)] == [[], [], [1], []]
    for one in (*desks, *boxes):
        one.close()


def test_whose_room_it_is_is_looked_up_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    give(store, "lr")
    account = SharingStore(store, Spaces()).account(BOB)
    assert account.quota_owner(BOX) == ANN.user
    assert account.quota_owner("INBOX") == BOB.user
    split, answers = account._split, []

    def once(name: str) -> tuple[str, str] | None:
        """A folder of this name of bob's own appears after the first look."""
        answers.append(split(name) if not answers else None)
        return answers[-1]

    monkeypatch.setattr(account, "_split", once)
    assert account.quota_owner(BOX) == ANN.user
