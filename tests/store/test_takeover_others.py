"""Maildirs that mutt and Courier left, opened where they lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import NoSuchFolder
from mailnode.model.flags import Flag
from mailnode.store import FlagsOp
from mailnode.store.folder import MaildirFolder
from tests.store.test_check import check
from tests.support.mail_store import REF, OpenStore, message


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OpenStore]:
    made = OpenStore(tmp_path)
    made.path().mkdir(parents=True)
    yield made
    made.close()


def facts(folder: MaildirFolder) -> list[tuple[int, str, Flag, set[str]]]:
    """UID, subject, flags and keywords of each message."""
    found = []
    for info in folder.infos(folder.refresh().uids):
        head = folder.read(info.uid).partition(b"\r\n\r\n")[0].split(b"\r\n")
        subject = next(line[9:].decode() for line in head if line.startswith(b"Subject: "))
        found.append((info.uid, subject, info.flags, set(info.keywords)))
    return found


def make_maildir(path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    return path


def mutt(one: OpenStore, options: str, *words: str, stdin: bytes = b"") -> None:
    home = one.root.parent
    always = "set mbox_type=Maildir sendmail=/bin/true copy=yes confirmcreate=no from=a@b.test"
    command = ["mutt", "-n", "-F", "/dev/null", "-e", f"{always} folder={home}", "-e", options]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm"}
    subprocess.run(
        [*command, *words],
        input=stdin,
        env=environment,
        check=True,
        capture_output=True,
        timeout=20,
    )


def _wait_for_the_next_second() -> None:
    time.sleep(1 - time.time() % 1)


@pytest.mark.skipif(shutil.which("mutt") is None, reason="needs mutt (Debian: mutt)")
def test_a_maildir_of_mutt(one: OpenStore) -> None:
    make_maildir(one.path())
    for subject in ("first", "second"):
        _wait_for_the_next_second()  # which is all that mutt's names tell of their age
        mutt(one, f"set record={one.path()}", "-s", subject, "--", "x@b.test", stdin=b"Hello\n")
    assert len(list(one.path("cur").iterdir())) == 2
    inbox = one.folder()
    assert [fact[1:] for fact in facts(inbox)] == [
        ("first", Flag.SEEN, set()), ("second", Flag.SEEN, set()),
    ]  # fmt: skip
    assert inbox.infos([1])[0].size == len(inbox.read(1)), "sizes count CRLF line ends"
    inbox.store_flags([1], FlagsOp.ADD, Flag.FLAGGED, frozenset())
    inbox.close()
    assert check(one, deep=True) == []


@pytest.mark.skipif(
    shutil.which("mutt") is None or shutil.which("script") is None, reason="needs mutt and script"
)
def test_mutt_and_mailnode_at_one_maildir(tmp_path: Path) -> None:
    """Flags that mutt sets are seen where foreign programs are allowed for, and the other way."""
    one = OpenStore(tmp_path, watch_foreign=True)
    inbox = one.folder()
    inbox.append([message("a", Flag.SEEN), message("b", Flag.SEEN), message("c", Flag.SEEN)])
    inbox.store_flags([2], FlagsOp.ADD, Flag.ANSWERED, frozenset())
    keys = "<first-entry><flag-message><next-entry><delete-message><sync-mailbox><quit>"
    options = f'set folder={tmp_path} quit=yes delete=yes sort=mailbox-order; push "{keys}"'
    subprocess.run(
        ["script", "-qec", f"mutt -n -F /dev/null -f {one.path()} -e '{options}'", "/dev/null"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=20,
    )
    left = facts(inbox)
    assert len(left) == 2, "mutt expunged one"
    assert sum(bool(flags & Flag.FLAGGED) for _, _, flags, _ in left) == 1
    assert all(flags & Flag.SEEN for _, _, flags, _ in left)
    inbox.close()
    one.close()


def test_a_maildir_of_courier(one: OpenStore) -> None:
    top = make_maildir(one.path())
    sent = make_maildir(one.path(".Sent.2024"))
    names = [f"16000000{n:02}.M1P2V0000000000000001I000{n}_0.host,S=21" for n in range(1, 5)]
    for number, name in enumerate(names, 1):
        (top / "cur" / f"{name}:2,S").write_bytes(b"Subject: m%d\r\n\r\nbody\r\n" % number)
    (top / "new" / "1600000009.M1P2V0I9_0.host,S=21").write_bytes(b"Subject: new\r\n\r\nbod\r\n")
    (sent / "cur" / f"{names[0]}:2,").write_bytes(b"Subject: sent\r\n\r\nbo\r\n")
    listed = [f"{uid} {name}\n" for uid, name in zip((3, 4, 7, 9), names, strict=True)]
    (top / "courierimapuiddb").write_text("1 1600000000 12\n" + "".join(listed))
    (sent / "courierimapuiddb").write_text(f"1 1600000001 6\n5 {names[0]}\n")
    words = top / "courierimapkeywords"
    words.mkdir()
    (words / ":list").write_text(f"$Label1\nwork\n\n{names[0]}:0 1\n{names[1]}:1\n")
    (words / names[2]).write_text("late\n")
    (top / "courierimapsubscribed").write_text("INBOX\nINBOX.Sent.2024\n")
    account = one.store.account(REF)
    inbox = account.open("INBOX")
    assert facts(inbox) == [
        (3, "m1", Flag.SEEN, {"$Label1", "work"}),
        (4, "m2", Flag.SEEN, {"work"}),
        (7, "m3", Flag.SEEN, {"late"}),
        (9, "m4", Flag.SEEN, set()),
        (12, "new", Flag(0), set()),
    ]
    picture = inbox.refresh()
    assert (picture.uidvalidity, picture.uidnext) == (1600000000, 13)
    there = account.open("Sent/2024")
    assert [fact[:2] for fact in facts(there)] == [(5, "sent")]
    assert there.refresh().uidvalidity == 1600000001
    assert account.subscriptions() == ["INBOX", "Sent/2024"]
    account.subscribe("Trash", True)
    assert set(account.subscriptions()) == {"INBOX", "Sent/2024", "Trash"}
    inbox.close()
    there.close()
    assert check(one, deep=True) == []
    inbox = account.open("INBOX")
    inbox.refresh(rescan=True)
    assert facts(inbox)[0][3] == {"$Label1", "work"}, "the names tell them too"
    inbox.close()


def test_passed_on_by_another_program(one: OpenStore) -> None:
    """``P`` in a name is the keyword $Forwarded, whoever wrote it."""
    top = make_maildir(one.path())
    (top / "cur" / "1.a.host:2,PS").write_bytes(b"Subject: a\r\n\r\nx\r\n")
    inbox = one.folder()
    assert facts(inbox) == [(1, "a", Flag.SEEN, {"$Forwarded"})]
    inbox.close()
    assert check(one) == []


@pytest.mark.parametrize("lost", [("new", "tmp"), ("new",), ("tmp",)])
def test_a_copy_without_empty_directories(one: OpenStore, lost: tuple[str, ...]) -> None:
    """``rsync -m``, zip and git leave them out."""
    for name in ("", ".Work"):
        path = make_maildir(one.path() / name)
        (path / "cur" / "1.a.host:2,S").write_bytes(b"Subject: old\n\nbody\n")
        for part in lost:
            (path / part).rmdir()
    account = one.store.account(REF)
    for name in ("INBOX", "Work"):
        folder = account.open(name)
        assert isinstance(folder, MaildirFolder)
        assert facts(folder) == [(1, "old", Flag.SEEN, set())]
        folder.append([message()])
        assert len(facts(folder)) == 2
        folder.close()
    assert check(one) == []


@pytest.mark.parametrize("there", ["new", "link", "file"])
def test_what_has_no_cur_is_no_folder(one: OpenStore, there: str) -> None:
    path = one.path(".Work")
    path.mkdir(parents=True)
    if there == "new":
        (path / "new").mkdir()
    elif there == "link":
        (path / "cur").symlink_to(one.root)
    else:
        (path / "cur").touch()
    before = sorted(path.iterdir())
    with pytest.raises(NoSuchFolder):
        one.store.account(REF).open("Work")
    assert sorted(path.iterdir()) == before
