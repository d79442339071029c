"""A full disk, a read-only one, an unmounted one, a dead and a frozen database, met by the running
server: clients are told to come again, the log says what to do, and afterwards nothing that was
acknowledged is missing.
"""

from __future__ import annotations

import contextlib
import imaplib
import os
import poplib
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.peopled_server import PASSWORD, PeopledServer, until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

# One worker: what it has cached is what the next connection meets.
ONE: dict[str, dict[str, object]] = {
    "server": {"workers": 1},
    "login": {"failure_delay_s": 0},
    "queue": {"first_retry_s": 1, "scan_s": 1},
    "directory": {
        "cache_s": 0.3, "cache_negative_s": 0.1, "verified_s": 60, "query_timeout_s": 1,
        "connect_timeout_s": 1,
    },
}  # fmt: skip
DISK_BYTES = 32 << 20


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, timeout=20, text=True)
    return done.stdout.strip()


def _mount(*options: str) -> None:
    _run("mount", *options)


@dataclass(frozen=True)
class Disk:
    """A small ext4 in a file, bound to the mail root (no mail is at ``path`` itself)."""

    image: Path
    path: Path

    def attach(self) -> None:
        _mount("-o", "loop,errors=remount-ro", str(self.image), str(self.path))

    def detach(self) -> None:
        _unmount(self.path)

    def device(self) -> str:
        return _run("findmnt", "-no", "SOURCE", str(self.path))

    def break_down(self) -> None:
        """As the kernel does when it meets an error: no more writing, open files or not."""
        trigger = Path(f"/sys/fs/ext4/{Path(self.device()).name}/trigger_fs_error")
        with contextlib.suppress(OSError):
            trigger.write_text("test")

    def repair(self) -> None:
        done = subprocess.run(
            ["e2fsck", "-fy", str(self.image)], capture_output=True, timeout=60, check=False
        )
        assert done.returncode in (0, 1), done.stdout.decode()

    def fill(self, leave: int = 0) -> Path:
        """Take all room but ``leave`` bytes; the file that takes it."""
        filler = self.path / "filler"
        usage = os.statvfs(self.path)
        room = usage.f_bavail * usage.f_frsize - leave
        with filler.open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, room)
            if not leave:
                file.seek(0, os.SEEK_END)
                with contextlib.suppress(OSError):
                    while file.write(b"x" * 1024):
                        pass
        return filler


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("needs root: nothing can be mounted, so no real disk was full or broken")
    disk = Disk(tmp_path / "image", tmp_path / "disk")
    disk.path.mkdir()
    with disk.image.open("wb") as file:
        file.truncate(DISK_BYTES)
    try:
        _run("mkfs.ext4", "-q", "-m", "0", str(disk.image))
        disk.attach()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"mounting is not allowed, so no real disk was full or broken: {error}")
    (disk.path / "mail").mkdir()
    yield disk
    disk.detach()


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True, timeout=20)


@pytest.fixture
def server(tmp_path: Path, disk: Disk) -> Iterator[PeopledServer]:
    folder = tmp_path / "server"
    (folder / "mail").mkdir(parents=True)
    _mount("--bind", str(disk.path / "mail"), str(folder / "mail"))
    server = PeopledServer(folder, **ONE)
    try:
        server.start()
        for number in range(5):
            server.send(f"before {number}", 0, 1)
        yield server
    finally:
        if server.process is not None:
            server.stop()
        _unmount(folder / "mail")


def _refusal(act: Callable[[], object]) -> str:
    """What a client is told; fails if it is told that all is well, or nothing at all."""
    try:
        act()
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    except (imaplib.IMAP4.error, poplib.error_proto) as error:
        return str(error)
    else:
        raise AssertionError("not refused")
    return f"{code} {text.decode() if isinstance(text, bytes) else text}"


def _no(answer: tuple[str, list[bytes]]) -> str:
    assert answer[0] == "NO", answer
    return answer[1][0].decode()


def _lmtp(server: PeopledServer) -> None:
    with server.smtp("lmtp") as client:
        client.sendmail("x@elsewhere.test", [server.users[0]], "Subject: no\r\n\r\nno\r\n")


def _storage_remedies(server: PeopledServer) -> set[str]:
    return {one.get("remedy", "") for one in server.events("storage")}


def _works_again(server: PeopledServer, acknowledged: list[str]) -> None:
    """Everything works, everything acknowledged is there, the checker has nothing to say."""
    server.send("after", 0, 1)
    _lmtp_fine(server)
    for user in (0, 1):
        # What only the spool could take comes with its next attempt.
        wanted = {"after", *acknowledged}
        until(lambda user=user, wanted=wanted: wanted <= set(server.subjects(user)), step_s=0.3)
        subjects = server.subjects(user)
        pop = server.pop3(user)
        assert pop.stat()[0] == len(subjects)
        pop.quit()
    with server.imap() as box:
        assert box.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert box.append("Sent", "", "", b"Subject: kept\r\n\r\nx\r\n")[0] == "OK"
    assert server.faults() == []
    server.check_store()


def _lmtp_fine(server: PeopledServer) -> None:
    with server.smtp("lmtp") as client:
        text = "Subject: by lmtp\r\n\r\nx\r\n"
        assert client.sendmail("x@elsewhere.test", [server.users[0]], text) == {}


def _code(server: PeopledServer, subject: str) -> int:
    """The reply to a message of 54 KB."""
    try:
        server.send(subject, 0, 1, body="load\r\n" * 9000)
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    return 250


BEFORE = [f"before {number}" for number in range(5)]


def test_full_disk(server: PeopledServer, disk: Disk) -> None:
    acknowledged = list(BEFORE)
    # Full while messages come in, not only between them.
    with server.imap() as box:
        filler = disk.fill()
        assert _refusal(lambda: server.send("no", 0, body="x\r\n" * 9000)).startswith("452 4.3.1")
        assert _refusal(lambda: _lmtp(server)).startswith("452 4.3.1")
        told = _no(box.append("INBOX", "", "", b"Subject: no\r\n\r\n" + b"x\r\n" * 3000))
        assert told.startswith(("[UNAVAILABLE]", "[LIMIT]"))
        # What is there can be read.
        assert box.fetch("1:*", "(FLAGS BODY.PEEK[])")[0] == "OK"
        assert len(server.subjects(1)) == len(BEFORE)
        pop = server.pop3(1)
        assert pop.retr(1)[0].startswith(b"+OK")
        pop.quit()
        assert any("free" in remedy for remedy in _storage_remedies(server))
        filler.unlink()
        server.send("soon after", 0, 1)
        acknowledged.append("soon after")
        assert box.append("INBOX", "", "", b"Subject: late\r\n\r\nx\r\n")[0] == "OK"
    _works_again(server, acknowledged)
    assert not [s for s in server.subjects() if s == "no"]


def test_disk_filling_up_under_load_loses_nothing(server: PeopledServer, disk: Disk) -> None:
    filler = disk.fill(leave=3 << 20)
    codes = {f"load {number}": _code(server, f"load {number}") for number in range(60)}
    assert set(codes.values()) == {250, 452}
    acknowledged = [*BEFORE, *(subject for subject, code in codes.items() if code == 250)]
    filler.unlink()
    _works_again(server, acknowledged)


def test_disk_that_turned_read_only(server: PeopledServer, disk: Disk) -> None:
    mail = server.folder / "mail"
    with server.imap() as box:
        disk.break_down()
        assert _refusal(lambda: server.send("no", 0)).startswith("451 4.3.")
        assert _refusal(lambda: _lmtp(server)).startswith("451 4.3.")
        assert "[UNAVAILABLE]" in _no(box.append("INBOX", "", "", b"Subject: no\r\n\r\nx\r\n"))
        assert "[UNAVAILABLE]" in _no(box.store("1", "+FLAGS", "(\\Flagged)"))
        assert any("writable" in remedy for remedy in _storage_remedies(server))
    # No file system is repaired while somebody has it open.
    server.stop()
    _unmount(mail)
    disk.detach()
    disk.repair()
    disk.attach()
    _mount("--bind", str(disk.path / "mail"), str(mail))
    server.start()
    _works_again(server, BEFORE)


def test_unmounted_disk(server: PeopledServer, disk: Disk) -> None:
    mail = server.folder / "mail"
    with server.imap() as box:
        _unmount(mail)
        assert _refusal(lambda: server.send("no", 0)).startswith("451 4.3.")
        assert _refusal(lambda: _lmtp(server)).startswith("451 4.3.")
        assert "[UNAVAILABLE]" in _no(box.append("INBOX", "", "", b"Subject: no\r\n\r\nx\r\n"))
        assert "[UNAVAILABLE]" in _no(box.select("INBOX"))
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as other:
            assert "[UNAVAILABLE]" in _refusal(lambda: other.login(server.users[1], PASSWORD))
        with contextlib.closing(poplib.POP3("127.0.0.1", server.ports["pop3"])) as pop:
            pop.user(server.users[1])
            assert "[SYS/TEMP]" in _refusal(lambda: pop.pass_(PASSWORD))
        assert any("mount" in remedy for remedy in _storage_remedies(server))
        # Nothing was written where the disk ought to be.
        assert list(mail.iterdir()) == []
        _mount("--bind", str(disk.path / "mail"), str(mail))
    _works_again(server, BEFORE)
