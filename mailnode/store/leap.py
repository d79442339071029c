"""Room for what a copy of a mail root does not know.

When an older copy takes the place of a mail root (a second site, a backup that was read back),
UIDs and MODSEQs that were given out after the copy was made would be given out again, for other
messages, to clients that remember the first ones. A leap over more than can have been given out
keeps the promise that a UID never names two messages, without a new UIDVALIDITY, that is without
having every client fetch everything again.
Locks: ``core.changing``.
"""

from __future__ import annotations

from mailnode.store.core import FolderCore
from mailnode.store.home import Home
from mailnode.store.journal import Kind, Record
from mailnode.store.listing import list_folders

_UID_MAX = 2**32 - 1


def leap_account(home: Home, by: int) -> int:
    """In every folder of the account; how many these were."""
    count = 0
    for disk in (b"", *list_folders(home.path)):
        core = home.current_core(disk)
        try:
            leap(core, by)
        finally:
            home.release_core(core)
        count += 1
    return count


def leap(core: FolderCore, by: int) -> None:
    """The next UID and MODSEQ are higher by ``by``; near the end of all UIDs by half of what is
    left of them."""
    with core.changing() as state:
        uidnext = state.uidnext + min(by, (_UID_MAX - state.uidnext) // 2)
        state.apply(Record(Kind.MARK, uidnext, state.modseq + by, b""))
        core.rewrite()
