"""Bringing the journal in step with the files: adoption, take-over, and the full comparison.

Promises: files are the truth for existence and system flags; a file without a record gets the
next UID, a record without a file is expunged, two files of one base name both stay. Nothing here
removes a message.
Locks: every function runs inside ``core.changing`` (or the rebuild), save ``look_at_new``'s peek.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

from mailnode.runtime import files
from mailnode.store import listing, names
from mailnode.store.journal import (
    Added,
    Flagged,
    Kind,
    pack_added,
    pack_flagged,
    pack_keywords,
    pack_uids,
)
from mailnode.store.listing import CUR, NEW, FoundFile
from mailnode.store.state import MAX_KEYWORDS
from mailnode.store.takeover import ForeignState as Foreign
from mailnode.store.takeover import read_foreign as foreign_state
from mailnode.store.takeover import read_keyword_letters

if TYPE_CHECKING:
    from mailnode.store.core import FolderCore

__all__ = ["Foreign", "adopt_new", "foreign_state", "move_new", "reconcile"]

# One record's worth of adopted messages.
_BATCH = 1000
_SORTED_AT_ONCE = 20_000


def reconcile(core: FolderCore, foreign: Foreign | None = None) -> None:
    """Compare every file with the state and record what differs."""
    found = _collect(core)
    _adopt_letters(core, foreign)
    if any(b"P" in file.letters for file in found.values()):
        # Maildir's "passed" is the keyword $Forwarded, here as in Dovecot.
        core.keyword_bits(frozenset({"$Forwarded"}))
    _expunge_missing(core, found)
    _take_flags(core, found)
    known = {core.state.name(i) for i in range(len(core.state))}
    _adopt(core, [file for base, file in found.items() if base not in known], foreign)
    if foreign and foreign.marks:
        _write_letters(core, found, foreign)
    core.where = {
        file.base: file.relative
        for index in range(len(core.state))
        if (file := found.get(core.state.name(index))) and _is_odd(core, index, file)
    }


def _is_odd(core: FolderCore, index: int, file: FoundFile) -> bool:
    return file.place == CUR and file.name != file.base + names.INFO + core.state.letters(index)


def _collect(core: FolderCore) -> dict[bytes, FoundFile]:
    found: dict[bytes, FoundFile] = {}
    for file in listing.list_files(core.path):
        other = found.get(file.base)
        if other is None:
            found[file.base] = file
        elif fresh := _part_twins(core, other, file):
            found[fresh.base] = fresh
    return found


def _part_twins(core: FolderCore, first: FoundFile, second: FoundFile) -> FoundFile | None:
    """Two files share a base name: give the second its own; None where it is the same file."""
    paths = [core.path + b"/" + file.relative for file in (first, second)]
    try:
        one, two = (os.lstat(path) for path in paths)
    except FileNotFoundError:
        return None  # it was on its way from new/ to cur/ while we listed
    if os.path.samestat(one, two):
        return None
    context = core.context
    base = names.unique_name(context.clock.now(), context.node)
    name = base + names.INFO + second.letters
    files.rename(paths[1], core.path + b"/cur/" + name)
    return FoundFile(CUR, name, base, second.letters)


# -- keywords ------------------------------------------------------------------------------


def _adopt_letters(core: FolderCore, foreign: Foreign | None) -> None:
    """Take over what another program says the letters a to z mean."""
    words = list(foreign.keywords if foreign else read_keyword_letters(core.path))
    if foreign:
        marked = {word for several in foreign.marks.values() for word in several}
        words += sorted(marked - set(words))
    known = core.state.keywords
    fresh = words[len(known) : MAX_KEYWORDS]
    have = {word.lower() for word in known}
    if any(fresh) and not have.intersection(word.lower() for word in fresh if word):
        core.commit(Kind.KEYWORDS, pack_keywords(len(known), fresh), quiet=True)


def _write_letters(core: FolderCore, found: dict[bytes, FoundFile], foreign: Foreign) -> None:
    """Put keywords that another server kept in lists into the names, where we look for them."""
    core.write_keywords_file()
    state = core.state
    for index in range(len(state)):
        file = found.get(state.name(index))
        if file is None or file.base not in foreign.marks or file.place == NEW:
            continue
        fresh = file._replace(name=file.base + names.INFO + state.letters(index))
        if fresh != file:
            files.rename(core.path + b"/" + file.relative, core.path + b"/" + fresh.relative)
            found[file.base] = fresh._replace(letters=state.letters(index))


# -- the three ways files and journal can differ ---------------------------------------------


def _expunge_missing(core: FolderCore, found: dict[bytes, FoundFile]) -> None:
    state = core.state
    missing = [i for i in range(len(state)) if state.name(i) not in found]
    if not missing:
        return
    # A foreign program may have renamed a file while we listed; look again before believing it.
    found.update((f.base, f) for f in listing.list_files(core.path) if f.base not in found)
    gone = [state.uids[i] for i in missing if state.name(i) not in found]
    if gone:
        core.commit(Kind.EXPUNGE, pack_uids(gone))


def _take_flags(core: FolderCore, found: dict[bytes, FoundFile]) -> None:
    """A name in ``cur`` tells the flags; one still in ``new`` is only behind the journal."""
    state = core.state
    mask = names.lettered_bits(state.keywords)
    changes: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index in range(len(state)):
        file = found.get(state.name(index))
        if file is None or file.place == NEW or file.letters == state.letters(index):
            continue
        flags = names.flags_in(file.letters)
        bits = names.keyword_bits_in(file.letters, state.keywords)
        if (flags, bits) != (state.flags[index], state.bits[index] & mask):
            changes[flags, bits].append(state.uids[index])
    for (flags, bits), uids in changes.items():
        core.commit(Kind.FLAGS, pack_flagged(Flagged(uids, flags, 31, bits, mask)))


def _adopt(core: FolderCore, unknown: list[FoundFile], foreign: Foreign | None) -> None:
    """Give files without a record their UID: the old server's, or the next ones by age."""
    uids = foreign.uids if foreign and foreign.uidvalidity else {}
    kept = sorted((uids[file.base], file) for file in unknown if file.base in uids)
    fresh = _oldest_first([file for file in unknown if file.base not in uids])
    if any(b"P" in file.letters for file in unknown):
        core.keyword_bits(frozenset({"$Forwarded"}))
    next_uid = max(core.state.uidnext, foreign.uidnext if foreign else 1, *(u + 1 for u, _ in kept))
    numbered = kept + [(next_uid + i, file) for i, file in enumerate(fresh)]
    numbers = iter(numbered)
    while batch := list(islice(numbers, _BATCH)):
        added = [m for uid, file in batch if (m := _describe(core, uid, file, foreign))]
        if added:
            core.commit(Kind.ADD, pack_added(added), uidnext=added[-1].uid + 1)
    if core.state.uidnext < next_uid:
        core.commit(Kind.MARK, b"", uidnext=next_uid, quiet=True)


def _oldest_first(files: list[FoundFile]) -> list[FoundFile]:
    """A sort lets no other thread run until it is done, and of a million names that is so long that
    the worker would be taken for stuck: so it is done piece by piece."""
    parts = [
        sorted(files[start : start + _SORTED_AT_ONCE], key=_age)
        for start in range(0, len(files), _SORTED_AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else list(heapq.merge(*parts, key=_age))


def _age(file: FoundFile) -> tuple[int, int, bytes]:
    return names.arrival_order(file.base)


def _describe(core: FolderCore, uid: int, file: FoundFile, foreign: Foreign | None) -> Added | None:
    facts = listing.facts(core.path, file)
    if facts is None:
        return None
    keywords = core.state.keywords
    bits = names.keyword_bits_in(file.letters, keywords)
    if foreign:
        marks = foreign.marks.get(file.base, ())
        bits |= sum(1 << i for i, word in enumerate(keywords) if word in marks)
    flags = names.flags_in(file.letters)
    return Added(uid, flags, bits, facts.size, facts.mtime_us, facts.ctime_us, file.base)


# -- new/ ----------------------------------------------------------------------------------


def adopt_new(core: FolderCore, waiting: list[FoundFile]) -> None:
    """Record those files of ``new/`` that have no record yet."""
    unknown = [file for file in waiting if not core.state.uid_of(file.base)]
    still_there = [f for f in unknown if os.path.lexists(core.path + b"/" + f.relative)]
    if still_there:
        _adopt(core, still_there, None)


def move_new(core: FolderCore, waiting: list[FoundFile]) -> None:
    """Move the files of ``new/`` to ``cur/``: their owner is looking at them."""
    for file in waiting:
        index = core.state.index(core.state.uid_of(file.base))
        if index < 0:
            continue
        target = core.path + b"/cur/" + file.base + names.INFO + core.state.letters(index)
        try:
            files.rename(core.path + b"/" + file.relative, target)
        except FileNotFoundError:
            pass  # another program moved or removed it; reading will find out
