"""Mending what the checker finds, losing nothing.

Promises: no message file in ``cur`` or ``new`` is ever removed; one that cannot keep its name gets
another in the same folder. UIDs are kept where they are known; where they are not, UIDVALIDITY is
new. A journal of an unknown version is left alone. A finding is called repaired only when a
second look no longer sees it.
Fails: ``StorageGone``, ``StorageFull``, ``FolderBusy``.
Locks: the folder's (``core.changing``) around each repair; a live store goes on working.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator

from mailnode.model.errors import MailnodeError, NoSuchFolder
from mailnode.runtime import files
from mailnode.store import Finding, invariants, listing, names, rescan
from mailnode.store.check import Checker, folder_entries, folder_name, folder_path
from mailnode.store.core import FolderCore
from mailnode.store.home import Home, make_parts
from mailnode.store.journal import Kind, pack_uids
from mailnode.store.listing import FoundFile
from mailnode.store.state import FolderState

REMEDIES = {
    "layout": "made the missing directories",
    "journal-missing": "wrote a new journal with a new UIDVALIDITY",
    "journal-damaged": "wrote a new journal; the damaged one is kept beside it",
    "journal-torn": "cut the torn record off",
    "counters": "raised the counters, in a new journal",
    "uids": "wrote a new journal; a message whose UID was taken got a new one",
    "names": "took the later of two records of one file out",
    "unfinished": "finished it",
    "missing": "expunged from the journal",
    "unrecorded": "recorded with a new UID",
    "expunged": "recorded with a new UID",
    "twins": "gave one file a name of its own",
    "flags": "took the flags of the file name",
    "keywords-file": "wrote it anew from the journal",
    "size": "corrected name and journal",
    "tmp": "removed",
    "mailbox-id": "gave the folder an id of its own",
    "quota": "added up anew, in a new journal",
}
_LEAVE_ALONE = frozenset({"journal-newer", "journal-older"})


class Repairer:
    """Repairs through the same folders (``home_of``) that the running store uses."""

    def __init__(self, checker: Checker, home_of: Callable[[str], Home]) -> None:
        self._checker, self._home_of = checker, home_of

    def everything(self) -> Iterator[Finding]:
        """Check and repair every account below the root."""
        for maildir in self._checker.accounts():
            yield from self.account(maildir)

    def account(self, maildir: str) -> Iterator[Finding]:
        """Check and repair one account; what was found, and what was done."""
        home = self._home_of(maildir)
        before = list(self._checker.account(maildir))
        if not before:
            return
        for disk in folder_entries(home.path):
            name = folder_name(disk) or os.fsdecode(disk)
            mine = [finding for finding in before if finding.folder == name]
            if mine:
                self._repair_folder(home, disk, mine)
        yield from _settled(before, list(self._checker.account(maildir)))

    def _repair_folder(self, home: Home, disk: bytes, found: list[Finding]) -> None:
        broken = {finding.invariant for finding in found}
        if broken & _LEAVE_ALONE:
            return
        path = folder_path(home.path, disk)
        try:
            make_parts(path)
            core = home.core_at(disk)
        except (NoSuchFolder, FileExistsError, NotADirectoryError):
            return  # not a plain directory, or gone: the second look tells
        try:
            _repair_core(core, broken)
            _sweep_tmp(path, self._checker.now())
            # Also where nothing moved on, as in a journal that begins anew.
            core.context.on_change(core.key, 0)
        finally:
            home.release_core(core)


def _settled(before: list[Finding], after: list[Finding]) -> Iterator[Finding]:
    left = {(one.folder, one.invariant, one.uids, one.detail) for one in after}
    for finding in before:
        key = (finding.folder, finding.invariant, finding.uids, finding.detail)
        if key not in left:
            finding.repaired = REMEDIES.get(finding.invariant, "gone")
        left.discard(key)
        yield finding
    yield from (one for one in after if (one.folder, one.invariant, one.uids, one.detail) in left)


def _repair_core(core: FolderCore, broken: set[str]) -> None:
    # Entering cuts a torn tail, rebuilds what is damaged, and finishes what a dead writer began.
    with core.changing() as state:
        if broken & {"counters", "uids", "names"}:
            _mend_state(core, state)
        elif "journal-damaged" in broken and not invariants.look_at_journal(core.path).usable:
            # Damaged behind our back: what is loaded here is better than what is on the disk.
            core.ledger.set_aside()
            core.rewrite()
        rescan.reconcile(core)
        if "size" in broken:
            _mend_sizes(core)
        if "quota" in broken:
            state.recount()
            core.rewrite()
        if "mailbox-id" in broken:
            core.rewrite(mailbox_id=os.urandom(16))
        if "keywords-file" in broken:
            core.write_keywords_file()


def _mend_state(core: FolderCore, state: FolderState) -> None:
    """Counters above all they count, and one record for each file, in a journal made anew."""
    core.ledger.set_aside()
    seen: set[bytes] = set()
    doubled = []
    for index, uid in enumerate(state.uids):
        name = state.name(index)
        if name in seen:
            doubled.append(uid)
        seen.add(name)
    if doubled:
        core.commit(Kind.EXPUNGE, pack_uids(doubled))
    state.uidnext = max(state.uidnext, *(uid + 1 for uid in state.uids[-1:]))
    state.modseq = max(state.modseq, *state.modseqs) + 1
    core.rewrite()


# -- sizes ---------------------------------------------------------------------------------


def _mend_sizes(core: FolderCore) -> None:
    """Right sizes in names and journal. The file has both names until the journal knows the new
    one: killed in between, the message is there twice rather than not at all."""
    state, new_bases, old_paths = core.state, dict[int, bytes](), list[bytes]()
    sizes = array("Q", state.sizes)
    index_of = {state.name(index): index for index in range(len(state))}
    for file in listing.list_files(core.path):
        index = index_of.get(file.base)
        if index is None or os.path.islink(core.path + b"/" + file.relative):
            continue
        size, crlf_size = invariants.measure(core.path + b"/" + file.relative)
        sizes[index] = crlf_size
        base = _with_true_sizes(file.base, size, crlf_size)
        if base in index_of and base != file.base:
            # An earlier repair was killed after the link, and the link was adopted since.
            state.email_ids.setdefault(state.uids[index], names.email_id(file.base))
            context = core.context
            unique = names.unique_name(context.clock.now(), context.node)
            base = names.with_sizes(unique, size, crlf_size)
        if base != file.base:
            old_paths.append(_link_as(core, file, base))
            new_bases[index] = base
    if new_bases or sizes != state.sizes:
        _rename_bases(state, new_bases)
        state.sizes = sizes
        state.recount()
        core.rewrite()
    for path in old_paths:
        files.unlink(path, missing_ok=True)


def _rename_bases(state: FolderState, new_bases: dict[int, bytes]) -> None:
    blob, starts = bytearray(b"/"), array("I")
    for index in range(len(state)):
        starts.append(len(blob))
        blob += new_bases.get(index, state.name(index)) + b"/"
    state.blob, state.name_at = blob, starts


def _with_true_sizes(base: bytes, size: int, crlf_size: int) -> bytes:
    if names.size_in(base) in (None, size) and names.vsize_in(base) in (None, crlf_size):
        return base
    return names.with_sizes(base.partition(b",")[0], size, crlf_size)


def _link_as(core: FolderCore, file: FoundFile, base: bytes) -> bytes:
    """Give the file its new name beside the old; the old path."""
    old = core.path + b"/" + file.relative
    new = core.path + b"/" + file.place + b"/" + base + file.name[len(file.base) :]
    try:
        files.link(old, new)
    except FileExistsError:
        pass  # an earlier repair was stopped after this step
    return old


# -- tmp -----------------------------------------------------------------------------------


def _sweep_tmp(folder: bytes, now: float) -> None:
    for name in invariants.stale_in_tmp(folder, now):
        try:
            files.unlink(folder + b"/tmp/" + name, missing_ok=True)
        except (IsADirectoryError, MailnodeError):
            continue  # a directory, or not ours to remove: the second look tells
