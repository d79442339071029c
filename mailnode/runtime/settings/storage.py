"""``[storage]``: where and how mail rests."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mailnode.runtime.settings.section import Section


class StorageSettings(Section):
    """Settings of the store. The same on every node that shares the mail root."""

    # Use was recounted so often before the journals told it.
    retired: ClassVar[frozenset[str]] = frozenset({"quota_recheck_s"})
    special_folders: dict[str, str] = Field(
        {
            "\\Drafts": "Drafts",
            "\\Sent": "Sent",
            "\\Junk": "Junk",
            "\\Trash": "Trash",
            "\\Archive": "Archive",
        },
        description="Folders every new account gets: special use (RFC 6154) and folder name.",
    )
    watch_foreign: bool = Field(
        False,
        description="True when other programs change the Maildirs too: each look at a folder then "
        "compares it with its files once the folder's modification time has moved.",
    )
    flag_sync_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Seconds until a change of flags or an expunge must be on the disk; 0: before "
        "the client hears OK. SIGKILL never loses one, power loss may within this time.",
    )
    lock_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Seconds to wait for another process or node to let a folder's lock go; then "
        "the operation fails temporarily.",
    )
    open_folders: int = Field(
        256,
        ge=8,
        description="Folders that nobody looks at which each worker keeps ready for the next look.",
    )
    expunge_history: int = Field(
        20_000,
        ge=100,
        description="Expunged UIDs each folder remembers for clients that were away (QRESYNC).",
    )
