"""The way back to Dovecot: its own lists beside the mail, with our UIDs in them.

Promises: after ``export_dovecot`` Dovecot finds each folder's UIDs, UIDVALIDITY, mailbox id and
keywords as clients know them from us (subscriptions are kept in its format anyway). Message
files are only read; keywords beyond the 26 that have a letter stay behind.
Fails: ``StorageGone``, ``StorageFull``, ``FolderBusy``.
Locks: each folder's, while its list is written. Dovecot must not serve the account meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from mailnode.runtime import files
from mailnode.store import names, rescan
from mailnode.store.core import FolderCore
from mailnode.store.home import Home


@dataclass(frozen=True, slots=True)
class Exported:
    """One folder's list: how many messages it names, and where it is."""

    folder: str
    messages: int
    file: str


def write_dovecot_uidlist(
    folder_path: bytes,
    *,
    uidvalidity: int,
    uidnext: int,
    mailbox_guid: bytes,
    messages: Iterable[tuple[int, bytes]],
) -> bytes:
    """Write a ``dovecot-uidlist`` of version 3 naming ``messages`` (UID, file name); its path."""
    header = b"3 V%d N%d G%s\n" % (uidvalidity, uidnext, mailbox_guid.hex().encode())
    path = folder_path + b"/dovecot-uidlist"
    files.replace(path, header + b"".join(b"%d :%s\n" % pair for pair in messages))
    _own_like_folder(folder_path, path)
    return path


def export_dovecot(home: Home) -> list[Exported]:
    """Write the lists of every folder of an account."""
    disks = {names.INBOX: b"", **home.disk_names()}
    home.drop_foreign_count()  # what an earlier server counted; Dovecot counts anew
    return [_export_folder(home, name, disk) for name, disk in sorted(disks.items())]


def _export_folder(home: Home, name: str, disk: bytes) -> Exported:
    core = home.core_at(disk)
    try:
        with core.changing() as state:
            rescan.reconcile(core)  # what is in new/ gets its UID from us, not from Dovecot
            path = write_dovecot_uidlist(
                core.path,
                uidvalidity=state.header.uidvalidity,
                uidnext=state.uidnext,
                mailbox_guid=state.header.mailbox_id,
                messages=[(uid, state.name(index)) for index, uid in enumerate(state.uids)],
            )
            _write_keywords(core)
        return Exported(name, len(core.state), os.fsdecode(path))
    finally:
        home.release_core(core)


def _write_keywords(core: FolderCore) -> None:
    if any(core.state.keywords):
        core.write_keywords_file()
        _own_like_folder(core.path, core.path + b"/dovecot-keywords")


def _own_like_folder(folder: bytes, path: bytes) -> None:
    """A list that root writes must be readable by whom the mail belongs to."""
    with files.storage_errors(path):
        owner = os.stat(folder)
        if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
