"""Imports: nothing lost, nothing twice, flags and dates kept."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path

import pytest

from mailnode.model.errors import StorageFull, TemporaryError
from mailnode.model.flags import Flag
from mailnode.store import Account, AccountRef, importing, sources
from mailnode.store.importing import Memory, Progress, import_maildir, import_mbox
from tests.support.fake_store import FakeStore

CRLF = b"Subject: %d\r\n\r\nbody\r\n"


@pytest.fixture
def account() -> Account:
    return FakeStore().account(AccountRef("ann@example.test", "example.test/ann"))


def write_mbox(path: Path, count: int) -> Path:
    with path.open("wb") as opened:
        for number in range(count):
            opened.write(b"From a@b Thu Jan  1 00:00:%02d 1970\n" % (number % 60))
            opened.write(b"Subject: %d\nStatus: RO\n\nbody\n\n" % number)
    return path


def bodies(account: Account, folder: str) -> list[bytes]:
    opened = account.open(folder)
    try:
        return [opened.read(uid) for uid in opened.refresh().uids]
    finally:
        opened.close()


def put(folder: Path, name: str, content: bytes, mtime: int = 1000, place: str = "cur") -> None:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    path = folder / place / name
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))


def test_mbox(tmp_path: Path, account: Account) -> None:
    source = write_mbox(tmp_path / "box", 450)
    steps = list(import_mbox(source, account, "Old/Mail", memory=tmp_path / "seen"))
    assert (steps[-1].stored, steps[-1].skipped, steps[-1].messages_done) == (450, 0, 450)
    assert steps[-1].bytes_done == steps[-1].bytes_total == source.stat().st_size
    assert [step.stored for step in steps] == [200, 400, 450]
    assert bodies(account, "Old/Mail") == [CRLF % number for number in range(450)]
    folder = account.open("Old/Mail")
    info = folder.infos([3])[0]
    assert (info.internal_date, info.flags) == (2.0, Flag.SEEN)
    folder.close()


def test_run_again_it_brings_only_what_is_new(tmp_path: Path, account: Account) -> None:
    source = write_mbox(tmp_path / "box", 3)
    list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))
    write_mbox(source, 5)
    last = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))[-1]
    assert (last.stored, last.skipped) == (2, 3)
    last = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))[-1]
    assert (last.stored, last.skipped) == (0, 5)
    last = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen", again=True))[-1]
    assert last.stored == 5
    assert len(bodies(account, "INBOX")) == 10


def test_equal_messages_of_a_source_all_arrive(tmp_path: Path, account: Account) -> None:
    twice = b"From a@b Thu Jan  1 00:00:00 1970\nSubject: same\n\nbody\n\n" * 2
    source = tmp_path / "box"
    source.write_bytes(twice)
    for _ in range(2):
        list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))
    assert len(bodies(account, "INBOX")) == 2


def test_an_interrupted_import_goes_on(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_MESSAGES", 10)
    source = write_mbox(tmp_path / "box", 35)
    steps = import_mbox(source, account, "INBOX", memory=tmp_path / "seen")
    assert next(steps).stored == 10
    assert next(steps).stored == 20
    steps.close()  # type: ignore[attr-defined]  # Ctrl-C: the generator is left
    last = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))[-1]
    assert (last.stored, last.skipped) == (15, 20)
    assert bodies(account, "INBOX") == [CRLF % number for number in range(35)]


def test_a_full_disk_ends_it_and_a_second_run_finishes(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_BATCH_MESSAGES", 10)
    source = write_mbox(tmp_path / "box", 25)
    folder_type = type(account.open("INBOX"))
    append, calls = folder_type.append, []

    def full(self: object, messages: object) -> list[int]:
        calls.append(1)
        if len(calls) == 2:
            raise StorageFull("no room")
        return append(self, messages)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_type, "append", full)
    with pytest.raises(StorageFull):
        list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))
    last = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))[-1]
    assert (last.stored, last.skipped) == (15, 10)


def test_no_mbox_is_said_so(tmp_path: Path, account: Account) -> None:
    (tmp_path / "box").write_bytes(b"just text\n")
    with pytest.raises(ValueError, match="no mbox"):
        list(import_mbox(tmp_path / "box", account, "INBOX", memory=tmp_path / "seen"))


def test_maildir_with_folders_flags_keywords(tmp_path: Path, account: Account) -> None:
    source = tmp_path / "Maildir"
    put(source, "2.b.host:2,FSac", b"Subject: 2\n\nbody\n", 2000)
    put(source, "1.a.host", b"Subject: 1\r\n\r\nbody\r\n", 1000, "new")
    put(source / ".Sent.2024", "3.c.host:2,PRT", b"Subject: 3\n\nbody\n", 3000)
    put(source / ".Entw&APw-rfe", "4.d.host:2,D", b"Subject: 4\n\nbody\n", 4000)
    (source / "dovecot-keywords").write_bytes(b"0 $Junk\n2 later\n")
    (source / "subscriptions").write_bytes(b"V\t2\n\nSent\t2024\nEntw&APw-rfe\n")
    (source / ".notes").mkdir()
    steps = list(import_maildir(source, account, memory=tmp_path / "seen"))
    last = steps[-1]
    assert (last.messages_done, last.messages_total, last.stored) == (4, 4, 4)
    assert last.bytes_done == last.bytes_total
    assert last.problems == ()
    assert bodies(account, "INBOX") == [CRLF % 1, CRLF % 2]
    inbox = account.open("INBOX")
    first, second = inbox.infos([1, 2])
    assert (first.flags, first.internal_date) == (Flag(0), 1000.0)
    assert second.flags == Flag.FLAGGED | Flag.SEEN
    assert second.keywords == {"$Junk", "later"}
    sent = account.open("Sent/2024").infos([1])[0]
    assert sent.flags == Flag.ANSWERED | Flag.DELETED
    assert sent.keywords == {"$Forwarded"}
    assert account.open("Entwürfe").infos([1])[0].flags == Flag.DRAFT
    assert {"Sent/2024", "Entwürfe"} <= set(account.subscriptions())


def test_maildir_below_a_parent_and_again(tmp_path: Path, account: Account) -> None:
    source = tmp_path / "Maildir"
    put(source, "1.a.host", b"Subject: 1\n\nbody\n")
    put(source / ".Sent", "2.b.host:2,S", b"Subject: 2\n\nbody\n")
    list(import_maildir(source, account, memory=tmp_path / "seen", into="Imported"))
    assert bodies(account, "Imported/Sent") == [CRLF % 2]
    # Its owner reads on at the old place: another name, the same message.
    (source / "cur" / "1.a.host").rename(source / "cur" / "1.a.host:2,S")
    put(source, "3.c.host", b"Subject: 3\n\nbody\n")
    last = list(import_maildir(source, account, memory=tmp_path / "seen", into="Imported"))[-1]
    assert (last.stored, last.skipped) == (1, 2)
    assert bodies(account, "Imported") == [CRLF % 1, CRLF % 3]


def test_what_cannot_be_read_or_named_is_told(tmp_path: Path, account: Account) -> None:
    source = tmp_path / "Maildir"
    put(source, "1.a.host", b"Subject: 1\n\nbody\n")
    put(source / ".bad\x01name", "2.b.host", b"x\n")
    steps = import_maildir(source, account, memory=tmp_path / "seen")
    (source / "cur" / "1.a.host").unlink()
    put(source, "1.a.host", b"Subject: 1\n\nbody\n")
    problems = [problem for step in steps for problem in step.problems]
    assert len(problems) == 1
    assert "bad" in problems[0]
    assert bodies(account, "INBOX") == [CRLF % 1]


def test_a_file_that_vanishes_is_told_and_the_rest_arrives(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "Maildir"
    for number in range(3):
        put(source, f"{number}.a.host", b"Subject: %d\n\nbody\n" % number)
    found = importing._message_files(source)
    (source / "cur" / "1.a.host").unlink()
    monkeypatch.setattr(importing, "_message_files", lambda _: found)
    last = list(import_maildir(source, account, memory=tmp_path / "seen"))[-1]
    assert (last.stored, len(last.problems)) == (2, 1)


def test_odd_folder_names_lose_no_mail(tmp_path: Path, account: Account) -> None:
    source = tmp_path / "Maildir"
    put(source, "1.a.host", b"Subject: 0\n\nbody\n")
    odd = [
        b".100%", b".*", b".a%", b".a*", b".caf\xe9", b".Entw\xc3\xbcrfe", b".INBOX", b".inbox",
        b"..x", b".foo.", b".new\nline", b"." + b"L" * 240, b".&bad", b". lead",
        b".deep" + b".x" * 60,
    ]  # fmt: skip
    for number, name in enumerate(odd, 1):
        body = b"Subject: %d\n\nbody\n" % number
        put(Path(os.fsdecode(os.fsencode(source) + b"/" + name)), "1.b.host", body)
    steps = list(import_maildir(source, account, memory=tmp_path / "seen"))
    assert steps[-1].stored == 1 + len(odd)
    told = [problem for step in steps for problem in step.problems]
    assert all("its mail went to " in problem for problem in told)
    there = [folder.name for folder in account.folders() if folder.selectable]
    stored = [body for name in there for body in bodies(account, name)]
    assert sorted(stored) == sorted(CRLF % number for number in range(len(odd) + 1))
    assert bodies(account, "Entwürfe") == [CRLF % 6]
    assert bodies(account, "café") == [CRLF % 5]
    assert bodies(account, "&bad") == [CRLF % 13]
    assert bodies(account, "a_") == [CRLF % 3]
    assert len(told) == 11
    last = list(import_maildir(source, account, memory=tmp_path / "seen"))[-1]
    assert (last.stored, last.skipped) == (0, 1 + len(odd))


def test_maildirs_within_directories(tmp_path: Path, account: Account) -> None:
    """As mutt, mbsync and Dovecot's layout "fs" have them."""
    source = tmp_path / "Mail"
    put(source / "sent", "1.a.host:2,S", b"Subject: 1\n\nbody\n")
    put(source / "office" / "Pläne", "1.b.host", b"Subject: 2\n\nbody\n")
    put(source / "office" / "Pläne" / "old", "1.c.host", b"Subject: 3\n\nbody\n")
    put(source / "sent" / ".hidden", "1.d.host", b"Subject: 4\n\nbody\n")
    (source / "cache").mkdir()
    list(import_maildir(source, account, memory=tmp_path / "seen"))
    assert bodies(account, "sent") == [CRLF % 1]
    assert bodies(account, "office/Pläne") == [CRLF % 2]
    assert bodies(account, "office/Pläne/old") == [CRLF % 3]
    assert bodies(account, "INBOX") == []
    list(import_maildir(source, account, memory=tmp_path / "other", into="Old"))
    assert bodies(account, "Old/office/Pläne/old") == [CRLF % 3]


def test_links_and_what_is_no_file_are_told_and_not_followed(
    tmp_path: Path, account: Account
) -> None:
    source, other = tmp_path / "Maildir", tmp_path / "other"
    put(other, "1.secret", b"Subject: 1\n\nof somebody else\n")
    put(source, "1.a.host", b"Subject: 0\n\nbody\n")
    (source / "cur" / "2.link:2,S").symlink_to(other / "cur" / "1.secret")
    (source / "cur" / "3.gone:2,S").symlink_to(tmp_path / "nowhere")
    os.mkfifo(source / "cur" / "4.pipe:2,S")
    (source / ".Linked").symlink_to(other)
    (source / ".Self").symlink_to(source)
    (source / "etc").symlink_to("/etc")
    steps = list(import_maildir(source, account, memory=tmp_path / "seen"))
    assert bodies(account, "INBOX") == [CRLF % 0]
    told = sorted(Path(one.split(": ")[0]).name for step in steps for one in step.problems)
    assert told == [".Linked", ".Self", "2.link:2,S", "3.gone:2,S", "4.pipe:2,S"]
    assert [one.name for one in account.folders() if one.name in ("Linked", "Self")] == []


def test_a_whole_file_system_is_not_walked(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_MAX_DIRECTORIES", 10)
    for number in range(11):
        (tmp_path / f"d{number}").mkdir()
    with pytest.raises(ValueError, match="too many directories"):
        list(import_maildir(tmp_path, account, memory=tmp_path / "seen"))


def test_no_maildir_is_said_so(tmp_path: Path, account: Account) -> None:
    with pytest.raises(ValueError, match="no Maildir"):
        list(import_maildir(tmp_path, account, memory=tmp_path / "seen"))


def test_a_maildir_of_the_standard_library(tmp_path: Path, account: Account) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    message = mailbox.MaildirMessage("Subject: 7\n\nbody\n")
    message.set_subdir("cur")
    message.set_flags("FRS")
    message.set_date(1234567890)
    box.add(message)
    box.add_folder("Sub").add("Subject: 8\n\nbody\n")
    list(import_maildir(tmp_path / "Maildir", account, memory=tmp_path / "seen"))
    info = account.open("INBOX").infos([1])[0]
    assert info.flags == Flag.FLAGGED | Flag.ANSWERED | Flag.SEEN
    assert info.internal_date == 1234567890.0
    assert bodies(account, "Sub") == [CRLF % 8]


def test_memory_survives_a_torn_tail_and_refuses_company(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    with Memory(path) as one:
        digest = one.digest(b"s", "f", b"content")
        one.remember([digest])
        with pytest.raises(TemporaryError), Memory(path):
            pass
    with path.open("ab") as opened:
        opened.write(b"torn")
    with Memory(path) as two:
        assert two.knows(two.digest(b"s", "f", b"content"))
        second = two.digest(b"s", "f", b"content")
        assert not two.knows(second)
        two.remember([second])
    with Memory(path) as three:
        assert three.knows(second)
        assert not three.knows(three.digest(b"other", "f", b"content"))


def test_progress_never_goes_back(tmp_path: Path, account: Account) -> None:
    source = write_mbox(tmp_path / "box", 500)
    steps: list[Progress] = list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))
    list(import_mbox(source, account, "INBOX", memory=tmp_path / "seen"))
    done = [step.bytes_done for step in steps]
    assert done == sorted(done)
