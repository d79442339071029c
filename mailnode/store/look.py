"""A session looks at its folder: what is new becomes known, durable, and a picture.

Promises: UIDs in the picture are durable. Without changes a look costs two ``stat`` calls.
Locks: ``ledger.mutex``; ``hold`` only when files must be adopted or moved, or compaction is due.
"""

from __future__ import annotations

from mailnode.model.flags import Flag
from mailnode.store import Picture, listing, rescan
from mailnode.store.core import FolderCore
from mailnode.store.listing import CUR, NEW
from mailnode.store.state import first_without

# A directory's time is believed only when it is older than any clock's grain at the listing.
_SETTLED_S = 2.0


def look(core: FolderCore, *, read_only: bool, full: bool = False) -> Picture:
    """Catch up, adopt, sync; the same picture while nothing changed."""
    with core.ledger.mutex:
        core.catch_up()
        if full or (core.context.settings.watch_foreign and _cur_changed(core)):
            with core.changing():
                rescan.reconcile(core)
                _mark_cur(core)
        _look_at_new(core, read_only=read_only)
        if core.compaction_due():
            with core.changing():
                pass  # compacts on leaving
        core.sync_uids()
        return core.state.picture()


def first_unseen(core: FolderCore, picture: Picture) -> int:
    """Where in the picture the first unseen message stands; -1: nowhere."""
    with core.ledger.mutex:
        if picture is core.state.picture():
            return core.state.first_unseen()
    return first_without(bytes(picture.flags), Flag.SEEN)


def _look_at_new(core: FolderCore, *, read_only: bool) -> None:
    now, changed = core.context.clock.now(), listing.mtime_ns(core.path + b"/" + NEW)
    seen, settled_at = core.new_seen
    if changed == seen and settled_at - changed / 1e9 > _SETTLED_S:
        return
    waiting = listing.list_files(core.path, (NEW,))
    if waiting and (not read_only or any(not core.state.uid_of(f.base) for f in waiting)):
        with core.changing():
            rescan.adopt_new(core, waiting)
            if not read_only:
                rescan.move_new(core, waiting)
        changed = listing.mtime_ns(core.path + b"/" + NEW)
    core.new_seen = (changed, now)


def _cur_changed(core: FolderCore) -> bool:
    changed = listing.mtime_ns(core.path + b"/" + CUR)
    seen, settled_at = core.cur_seen
    return changed != seen or settled_at - changed / 1e9 <= _SETTLED_S


def _mark_cur(core: FolderCore) -> None:
    core.cur_seen = (listing.mtime_ns(core.path + b"/" + CUR), core.context.clock.now())
