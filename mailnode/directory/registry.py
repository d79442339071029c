"""The write side of the directory: what the command line changes, and PostfixAdmin understands.

Promises: names in lower case; each mailbox with its own alias row; limits of the domain kept; each
change one transaction with its row in PostfixAdmin's log.
Fails: ``Refused`` (one line for people), ``BadSettings``, ``DirectoryGone``.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailnode.directory.build import open_database, prepare_database
from mailnode.directory.registry_admins import AdminRegistry
from mailnode.directory.registry_aliases import AliasRegistry
from mailnode.directory.registry_domains import DomainRegistry
from mailnode.directory.registry_mailboxes import MailboxRegistry
from mailnode.runtime.maillog import MailLog, NullLog
from mailnode.runtime.settings.directory import DirectorySettings

_CHANGE_S = 60.0  # a person waits longer than a mail server may


class Registry(DomainRegistry, MailboxRegistry, AliasRegistry, AdminRegistry):
    """Domains, mailboxes, aliases and admins, to be changed."""


@asynccontextmanager
async def open_registry(
    settings: DirectorySettings, *, actor: str = "", log: MailLog | None = None
) -> AsyncIterator[Registry]:
    """The registry of these settings; tables are made first where that is allowed.

    ``actor`` is who stands in PostfixAdmin's log; else the account of the process.
    """
    log = log or NullLog()
    await prepare_database(settings, log)
    database = open_database(settings, log, query_s=_CHANGE_S)
    try:
        yield Registry(database, settings, actor or f"{_account()} (mailnode)")
    finally:
        await database.close()


def _account() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
