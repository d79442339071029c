"""Access control lists: the file, who may do what, and where an owner is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailnode.model.errors import StorageGone
from mailnode.model.rights import ALL_RIGHTS, expanded, ordered, shown
from mailnode.store import AccountRef
from mailnode.store.acl import (
    MAX_ENTRIES,
    NOBODY,
    Acl,
    AclCache,
    Entry,
    Person,
    TooManyEntries,
    format_entry,
    parse,
    read,
    write,
)
from mailnode.store.shares import Shares
from tests.support.mail_store import OpenStore

BOB = Person("bob@example.test")
ANN = AccountRef("ann@example.test", "example.test/ann")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", ""), ("lr", "lr"), ("rl", "lr"), ("llr", "lr"), ("c", "kx"), ("d", "te"), ("cd", "kxte"),
     (ALL_RIGHTS, ALL_RIGHTS), ("lz", None), ("L", None), ("1", None), ("l r", None)],
)  # fmt: skip
def test_rights_of_a_client(written: str, meant: str | None) -> None:
    assert expanded(written) == meant


def test_rights_shown_to_a_client() -> None:
    assert shown("") == ""
    assert shown("rl") == "lr"
    assert shown("lrk") == "lrkc"
    assert shown("lrx") == "lrxc"
    assert shown("lre") == "lred"
    assert shown(ALL_RIGHTS) == "lrswipkxteacd"
    assert ordered("zaplr") == "lrpa"


def test_what_dovecot_wrote_is_read() -> None:
    raw = b"""# a comment
user=Bob@Example.Test lrwstipekxa
group=example.test lr
group=staff lr
anyone l
authenticated lrs
owner lrwstipekxacd
-user=eve@example.test wt
"user=two words@example.test" l :read expunge purge
user=c@example.test lrcd
nonsense

group-override=banned
user=anyone lr
user=@example.test lr
user= lr
"""
    assert list(parse(raw)) == [
        Entry("bob@example.test", ALL_RIGHTS),
        Entry("@example.test", "lr"),
        Entry("$staff", "lr"),
        Entry("anyone", "l"),
        Entry("authenticated", "lrs"),
        Entry("owner", ALL_RIGHTS),
        Entry("eve@example.test", "wt", negative=True),
        Entry("two words@example.test", "lre", unknown="purge"),
        Entry("c@example.test", "lrkxte"),
        Entry("$=nonsense", ""),
        Entry("$=group-override=banned", ""),
        Entry("$=user=anyone", "lr"),
        Entry("$=user=@example.test", "lr"),
        Entry("$=user=", "lr"),
    ]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = bytes(tmp_path)
    acl = Acl(
        (
            Entry("bob@example.test", "lr"),
            Entry("bob@example.test", "w", negative=True),
            Entry('a "quoted" \\ name@example.test', "l"),
            Entry("#hash@example.test", "l"),
            Entry("-minus@example.test", "l"),
            Entry("user=x@example.test", "l"),
            Entry("ü@example.test", "l"),
            Entry("@example.test", "lr"),
            Entry("$staff", "lr", unknown="purge"),
            Entry("$=group-override=banned", ""),
            Entry("$=user=anyone", "lr"),
            Entry("anyone", ""),
        )
    )
    write(path, acl)
    assert read(path) == acl
    text = (tmp_path / "dovecot-acl").read_text()
    assert text.startswith("# mailnode acl 1\nuser=bob@example.test lr\n-user=bob@example.test w\n")
    assert "\ngroup=example.test lr\n" in text
    assert "\ngroup-override=banned \n" in text


@pytest.mark.parametrize(
    "line", [b"-----", b"--user=eve@x.test w", b'-"-x" r', b'"--" r', b'-"" r']
)
def test_many_minus_signs_are_one(line: bytes) -> None:
    (entry,) = parse(line)
    assert entry.negative
    assert not entry.identifier.startswith(("-", "$=-"))
    assert list(parse(format_entry(entry).encode())) == [entry]


def test_list_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dovecot-acl").write_text("# mailnode acl 2\nanyone lr\n")
    with pytest.raises(StorageGone):
        read(bytes(tmp_path))


def test_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("anyone lr\n")
    (tmp_path / "dovecot-acl").symlink_to("there")
    with pytest.raises(StorageGone):
        read(bytes(tmp_path))


def test_number_of_entries_is_bounded() -> None:
    acl = Acl(tuple(Entry(f"u{n}", "l") for n in range(MAX_ENTRIES)))
    with pytest.raises(TooManyEntries):
        acl.replaced(Entry("more", "l"))
    assert len(acl.replaced(Entry("u3", "lr")).entries) == MAX_ENTRIES


@pytest.mark.parametrize(
    ("entries", "rights"),
    [
        ([], ""),
        ([Entry("anyone", "lr")], "lr"),
        ([Entry("anyone", "lr"), Entry("authenticated", "l")], "l"),
        ([Entry("anyone", "lr"), Entry("@example.test", "lrs")], "lrs"),
        ([Entry("@other.test", "lrs")], ""),
        ([Entry("anyone", "lrs"), Entry("bob@example.test", "")], ""),
        ([Entry("bob@example.test", "lrs"), Entry("anyone", "s", negative=True)], "lr"),
        ([Entry("bob@example.test", "lrs"), Entry("eve@example.test", "s", negative=True)], "lrs"),
        ([Entry("owner", "lrs"), Entry("$staff", "lrs")], ""),
    ],
)
def test_rights_of_a_person(entries: list[Entry], rights: str) -> None:
    assert Acl(tuple(entries)).rights(BOB) == rights


def test_cache_notices_every_change(tmp_path: Path) -> None:
    path, cache = bytes(tmp_path), AclCache()
    assert cache.read(path) == NOBODY
    for n in range(20):
        acl = Acl((Entry("bob", "lr" if n % 2 else "ls"),))
        write(path, acl)
        assert cache.read(path) == acl
        assert cache.read(path) is cache.read(path)
    (tmp_path / "dovecot-acl").unlink()
    assert cache.read(path) == NOBODY


# ---------------------------------------------------------------------- where owners are found


def test_owner_is_found_by_those_who_get_something(opened: OpenStore) -> None:
    account = opened.store.account(ANN)
    assert opened.store.sharers(BOB, everywhere=False) == {}
    account.change_acl("Sent", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account.change_acl("Trash", lambda acl: acl.replaced(Entry("mal@other.test", "lr")))
    assert opened.store.sharers(BOB, everywhere=False) == {ANN.user: ANN.maildir}
    assert opened.store.sharers(BOB, everywhere=False, only=ANN.user) == {ANN.user: ANN.maildir}
    assert opened.store.sharers(BOB, everywhere=False, only="eve@example.test") == {}
    mal = Person("mal@other.test")
    assert opened.store.sharers(mal, everywhere=False) == {}
    assert opened.store.sharers(mal, everywhere=True) == {ANN.user: ANN.maildir}
    assert opened.store.sharers(Person(ANN.user), everywhere=True) == {}
    account.change_acl("Sent", lambda acl: acl.without(BOB.user))
    assert opened.store.sharers(BOB, everywhere=False) == {}
    assert opened.store.sharers(mal, everywhere=True) == {ANN.user: ANN.maildir}


def test_anyone_is_the_domain_unless_sharing_goes_everywhere(opened: OpenStore) -> None:
    account = opened.store.account(ANN)
    account.change_acl("Sent", lambda acl: acl.replaced(Entry("anyone", "lr")))
    mal = Person("mal@other.test")
    assert opened.store.sharers(BOB, everywhere=False) == {ANN.user: ANN.maildir}
    assert opened.store.sharers(mal, everywhere=False) == {}
    assert opened.store.sharers(mal, everywhere=True) == {ANN.user: ANN.maildir}


def test_index_can_be_lost_and_made_anew(opened: OpenStore) -> None:
    account = opened.store.account(ANN)
    account.change_acl("Sent", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    for path in sorted((opened.root / ".mailnode/shares").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert opened.store.sharers(BOB, everywhere=False) == {}
    account.index_shares()
    assert opened.store.sharers(BOB, everywhere=False) == {ANN.user: ANN.maildir}


def test_bad_entries_of_the_index_are_passed_over(opened: OpenStore) -> None:
    shares = Shares(bytes(opened.root))
    shares.note(Person(ANN.user), ANN.maildir, {BOB.user})
    (entry,) = (p for p in (opened.root / ".mailnode/shares").rglob("*") if p.is_file()
                and p.parent.name != "owners")  # fmt: skip
    for text in ("", "{", "[]", '{"version": 1}', '{"version": 2, "owner": "x", "maildir": "y"}',
                 json.dumps({"version": 1, "owner": 1, "maildir": None})):  # fmt: skip
        entry.write_text(text)
        assert shares.sharers(BOB, everywhere=False) == {}


def test_names_of_the_index_lead_nowhere(opened: OpenStore) -> None:
    shares = Shares(bytes(opened.root))
    bad = ["../../x", "/etc/passwd", "a/b@example.test", "x" * 5000, "\0", "*"]
    shares.note(Person("../../o@example.test"), "m", bad)
    inside = {p.relative_to(opened.root).parts[0] for p in opened.root.rglob("*")}
    assert inside == {".mailnode", "mailnode.store"}
    assert shares.sharers(Person("../../x"), everywhere=True) == {"../../o@example.test": "m"}


def test_new_folder_begins_with_its_parents_list(opened: OpenStore) -> None:
    account = opened.store.account(ANN)
    account.create("Team")
    account.change_acl("Team", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account.create("Team/a/b")
    assert account.acl("Team/a/b") == Acl((Entry(BOB.user, "lr"),))
    account.change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "l")))
    account.create("Other")
    account.create("INBOX/below")
    assert account.acl("Other") == NOBODY
    assert account.acl("INBOX/below") == Acl((Entry(BOB.user, "l"),))
    account.rename("Team", "Crew")
    assert account.acl("Crew/a/b") == Acl((Entry(BOB.user, "lr"),))
    account.delete("Crew")
    account.create("Crew")
    assert account.acl("Crew") == NOBODY


def test_without_a_list_nothing_is_opened(opened: OpenStore) -> None:
    """One's own folders cost nothing more than before: no list is looked for."""
    account = opened.store.account(ANN)
    asked: list[str] = []
    cache = account._home.services.acls
    found = cache.read
    cache.read = lambda path: asked.append(path.decode()) or found(path)  # type: ignore[method-assign]  # counts only
    folder = account.open("INBOX")
    folder.refresh()
    folder.close()
    account.folders()
    account.status("Sent")
    assert asked == []
