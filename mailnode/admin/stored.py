"""Work on stored mail from the command line, beside running workers.

Promises: the same locks as the server's own; running workers are told of what was done here, so
that their clients hear of it as of anything else; what root does here is done as the mail root's
owner, so that the service can read what is left.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mailnode.admin.cli.frame import CliError
from mailnode.admin.owner import become_owner
from mailnode.cluster.outside import Outside
from mailnode.directory import Mailbox
from mailnode.directory.build import open_directory
from mailnode.model.address import Address
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.tasks import Pool
from mailnode.store import AccountRef, Finding
from mailnode.store.check import Checker
from mailnode.store.export import export_dovecot
from mailnode.store.importing import Progress, import_maildir, import_mbox
from mailnode.store.leap import leap_account
from mailnode.store.maildir_store import MaildirStore
from mailnode.store.repair import Repairer


@contextmanager
def opened_store(settings: Settings) -> Iterator[MaildirStore]:
    """The store of these settings, closed at the end. Root becomes the owner of the mail root."""
    server, clock = settings.server, SystemClock()
    become_owner(server.mail_dir)
    outside = Outside(server.run_dir / "hints", clock)
    store = MaildirStore(
        root=server.mail_dir,
        state=server.state_dir / "view",
        node=server.node,
        settings=settings.storage,
        clock=clock,
        log=NullLog(),
        on_change=outside.publish,
        on_use=lambda user, size_bytes, messages: None,
    )
    try:
        yield store
    finally:
        store.close()
        outside.close()


def find_mailbox(settings: Settings, user: str) -> Mailbox:
    """The mailbox of a user. Raises ``CliError`` when there is none."""

    async def ask() -> Mailbox | None:
        pool = Pool(1, "directory")
        try:
            directory = await open_directory(
                settings=settings.directory, pool=pool, clock=SystemClock(), log=NullLog()
            )
            try:
                local, _, domain = user.lower().rpartition("@")
                return await directory.mailbox(Address(local, domain))
            finally:
                await directory.close()
        finally:
            pool.close()

    found = asyncio.run(ask())
    if found is None:
        raise CliError(f"{user}: no such mailbox; see `mailnode mailbox list`")
    return found


def check_accounts(
    settings: Settings, users: Sequence[str], *, repair: bool
) -> tuple[int, list[Finding]]:
    """Number of accounts looked at, and what was found in them."""
    # To look takes locks, and a lock's file is made by whoever comes first.
    become_owner(settings.server.mail_dir)
    checker = Checker(
        settings.server.mail_dir, SystemClock(), lock_timeout_s=settings.storage.lock_timeout_s
    )
    maildirs = [find_mailbox(settings, user).maildir for user in users] or list(checker.accounts())
    if not repair:
        return len(maildirs), [one for maildir in maildirs for one in checker.account(maildir)]
    with opened_store(settings) as store:
        repairer = Repairer(checker, store.home)
        return len(maildirs), [one for maildir in maildirs for one in repairer.account(maildir)]


def skip_uids(settings: Settings, by: int) -> int:
    """Let every folder leave out so many UIDs and MODSEQs; the number of folders."""
    checker = Checker(settings.server.mail_dir, SystemClock())
    with opened_store(settings) as store:
        store.guard()
        return sum(leap_account(store.home(one), by) for one in checker.accounts())


def import_into(
    settings: Settings, user: str, source: Path, folder: str, *, again: bool
) -> Iterator[Progress]:
    """Import a Maildir or an mbox, reporting as it goes. Raises ``ValueError``, ``OSError``."""
    mailbox = find_mailbox(settings, user)
    become_owner(settings.server.mail_dir)
    memory = settings.server.state_dir / "imports"
    memory.mkdir(parents=True, exist_ok=True, mode=0o700)
    remembered = memory / hashlib.sha256(mailbox.user.encode()).hexdigest()[:32]
    with opened_store(settings) as store:
        account = store.account(AccountRef(mailbox.user, mailbox.maildir, mailbox.quota_bytes))
        if source.is_dir():
            yield from import_maildir(source, account, memory=remembered, again=again, into=folder)
        else:
            yield from import_mbox(
                source, account, folder or "INBOX", memory=remembered, again=again
            )


def export_for_dovecot(settings: Settings, user: str) -> list[dict[str, Any]]:
    """Write Dovecot's UID lists beside each folder; one row for each."""
    mailbox = find_mailbox(settings, user)
    with opened_store(settings) as store:
        written = export_dovecot(store.home(mailbox.maildir))
    return [{"folder": one.folder, "messages": one.messages, "file": one.file} for one in written]
