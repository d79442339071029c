"""A real Maildir store in a temporary folder, and small words to speak to it."""

from __future__ import annotations

import errno
import mailbox
import os
from pathlib import Path

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.store import AccountRef, Delivery, Finding, NewMessage
from mailnode.store.check import Checker
from mailnode.store.folder import MaildirFolder
from mailnode.store.guard import lay_guard
from mailnode.store.maildir_store import MaildirStore

REF = AccountRef("user@example.test", "example.test/user/")


class OpenStore:
    """A store over ``base/mail`` with what it told: log, changes, uses."""

    def __init__(self, base: Path, node: str = "n1", **settings: object) -> None:
        self.root = base / "mail"
        self.root.mkdir(exist_ok=True)
        lay_guard(self.root)
        self.log = ListLog()
        self.changes: list[tuple[str, int]] = []
        self.uses: list[tuple[str, int, int]] = []
        self.store = MaildirStore(
            root=self.root,
            state=base / f"state-{node}",
            node=node,
            settings=StorageSettings.model_validate(settings),
            clock=SystemClock(),
            log=self.log,
            on_change=lambda key, modseq: self.changes.append((key, modseq)),
            on_use=lambda user, size, count: self.uses.append((user, size, count)),
        )

    def close(self) -> None:
        self.store.close()

    def folder(self, name: str = "INBOX", *, read_only: bool = False) -> MaildirFolder:
        return self.store.account(REF).open(name, read_only)

    def path(self, name: str = "") -> Path:
        return self.root / "example.test/user" / name

    def deliver(self, *texts: str, folder: str = "INBOX", ref: AccountRef = REF) -> None:
        outcomes = self.store.accept([Delivery(ref, message(text), folder) for text in texts])
        assert all(outcome.ok for outcome in outcomes), outcomes


class FailAt:
    """A hook for ``files.on_step``: the N-th step fails, all others are done."""

    def __init__(self, number: int, code: int = errno.ENOSPC) -> None:
        self.left, self.code, self.failed = number, code, ""

    def __call__(self, step: str, path: bytes | str) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = f"{step} {os.fsdecode(path)}"
            raise OSError(self.code, os.strerror(self.code))


def message(
    text: str = "hello", flags: Flag = NO_FLAGS, keywords: frozenset[str] = frozenset()
) -> NewMessage:
    """A small message; ``text`` is its subject and body."""
    raw = f"Subject: {text}\r\n\r\n{text}\r\n".encode()
    return NewMessage((raw,), 1_700_000_000.5, flags, keywords)


def texts(folder: MaildirFolder) -> list[str]:
    """Subjects of all messages, by UID."""
    return [subject(folder.read(uid)) for uid in folder.refresh().uids]


def subject(raw: bytes) -> str:
    """What ``message`` was made from."""
    return raw.split(b"\r\n")[0].removeprefix(b"Subject: ").decode()


def referee(path: Path) -> list[str]:
    """Subjects as the standard library's Maildir reads them, sorted."""
    box = mailbox.Maildir(os.fspath(path), create=False)
    return sorted(str(one["Subject"]) for one in box)


def findings(root: Path) -> list[Finding]:
    """What the checker says of every account below ``root``; nothing is what tests want."""
    return list(Checker(root, SystemClock(), deep=True).everything())
