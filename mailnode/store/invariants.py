"""What must be true of a folder's journal and files, each rule beside the code that looks.

Promises: reads only; independent of the code that keeps the rules (it shares with it the formats,
not the logic). ``INVARIANTS`` names every rule; ``docs/store.md`` explains them.
Locks: ``look_at_journal`` and ``compare`` expect the folder's lock to be held, so that no writer is
amid a change; ``look_at_files`` needs none and runs after it is let go.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from mailnode.model.errors import StorageGone
from mailnode.runtime.files import storage_errors
from mailnode.store import journal, listing, names, snapshot
from mailnode.store.journal import (
    JOURNAL_NAME,
    NOTHING,
    Header,
    JournalDamaged,
    Kind,
    OlderFormat,
    OtherFormat,
    Record,
    Totals,
)
from mailnode.store.listing import CUR, FoundFile
from mailnode.store.state import FolderState
from mailnode.store.takeover import read_keyword_letters

INVARIANTS = {
    "layout": "A folder has the directories cur, new and tmp.",
    "journal-missing": "A folder that had a journal has one.",
    "journal-damaged": "The journal's header and every record up to its last are valid.",
    "journal-torn": "The journal ends with a whole record.",
    "journal-newer": "The journal is of no later version than this program knows.",
    "journal-older": "The journal is of no version from before the first release.",
    "counters": "UIDNEXT and MODSEQ never go back; UIDs lie below UIDNEXT, MODSEQs not above the "
    "highest.",
    "uids": "UIDs strictly ascend; none was ever given twice.",
    "names": "No two messages of a journal have one base name.",
    "unfinished": "No change of file names is noted as begun and not finished.",
    "missing": "Every message of the journal has a file.",
    "unrecorded": "Every file in cur is a message of the journal (those in new may wait).",
    "expunged": "No file of an expunged message is left.",
    "twins": "No two files have one base name.",
    "flags": "The letters of a file name in cur are the journal's flags and lettered keywords.",
    "keywords-file": "dovecot-keywords gives each letter the journal's meaning.",
    "size": "S= and W= in a name, and the journal's size, are the sizes of the file.",
    "unreadable": "Every message file is a plain file.",
    "tmp": "No file in tmp is older than 36 hours.",
    "folder-name": "Every sub-folder's name can be shown to a client.",
    "mailbox-id": "No two folders of an account have one mailbox id.",
    "quota": "The last record's totals are what the messages of the journal add up to.",
}
# https://cr.yp.to/proto/maildir.html: what is older was left by a delivery that died.
TMP_LIFE_S = 36 * 3600


class Breach(NamedTuple):
    """One rule broken in one folder; ``uids`` where messages are concerned."""

    invariant: str
    detail: str
    uids: tuple[int, ...] = ()


@dataclass(slots=True)
class JournalView:
    """A journal as an independent reader finds it. ``state`` is what could be replayed;
    ``expunged`` maps base names to UIDs, as far as records (not the snapshot) tell."""

    header: Header | None = None
    state: FolderState | None = None
    breaches: list[Breach] = field(default_factory=list)
    expunged: dict[bytes, int] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """True when files may be compared with it."""
        fatal = {"journal-missing", "journal-damaged", "journal-newer", "journal-older"}
        return self.state is not None and not any(b.invariant in fatal for b in self.breaches)


def look_at_journal(folder: bytes) -> JournalView:
    """Replay the journal, noting what is wrong with it. Raises ``StorageGone``."""
    view = JournalView()
    try:
        view.header, spans = journal.read_all(folder + b"/" + JOURNAL_NAME)
    except FileNotFoundError:
        view.breaches.append(Breach("journal-missing", "no journal"))
        return view
    except JournalDamaged as error:
        view.breaches.append(Breach("journal-damaged", str(error)))
        return view
    except OtherFormat as error:
        age = "older" if isinstance(error, OlderFormat) else "newer"
        view.breaches.append(Breach(f"journal-{age}", str(error)))
        return view
    _replay(view, list(spans))
    return view


def _replay(view: JournalView, spans: list[journal.Span]) -> None:
    told = NOTHING
    for number, span in enumerate(spans):
        if span.record is None:
            kind = "journal-torn" if number == len(spans) - 1 else "journal-damaged"
            view.breaches.append(
                Breach(kind, f"bytes {span.start} to {span.end} are no valid record")
            )
        elif _replay_one(view, span.record):
            told = span.record.totals
        else:
            return
    if view.state is None:
        view.breaches.append(Breach("journal-damaged", "no valid record"))
    else:
        view.breaches += _check_state(view.state)
        view.breaches += _check_totals(view.state, told)


def _replay_one(view: JournalView, record: Record) -> bool:
    """Apply one record; False when the rest cannot be understood."""
    try:
        if record.kind == Kind.SNAPSHOT:
            assert view.header is not None
            view.state = snapshot.unpack(view.header, record, 1 << 30)
            return True
        if view.state is None:
            view.breaches.append(Breach("journal-damaged", "no snapshot before the records"))
            view.state = FolderState(view.header or Header(1, 1, bytes(16)))
        view.breaches += _check_record(view.state, record)
        _note_expunged(view, record)
        view.state.apply(record, remember=False)
    except JournalDamaged as error:
        view.breaches.append(Breach("journal-damaged", str(error)))
    except StorageGone as error:
        view.breaches.append(Breach("journal-newer", str(error)))
        return False
    return True


def _check_record(state: FolderState, record: Record) -> Iterator[Breach]:
    if record.uidnext < state.uidnext or record.modseq < state.modseq:
        yield Breach(
            "counters",
            f"from UIDNEXT {state.uidnext}, MODSEQ {state.modseq} "
            f"to {record.uidnext}, {record.modseq}",
        )
    if record.kind != Kind.ADD:
        return
    uids = [message.uid for message in journal.unpack_added(record.payload)]
    last = state.uids[-1] if state.uids else 0
    if any(b <= a for a, b in pairwise([max(last, state.uidnext - 1), *uids])):
        yield Breach("uids", f"ADD of {uids[:5]} after {last}, UIDNEXT {state.uidnext}", (*uids,))
    if uids and max(uids) >= record.uidnext:
        yield Breach("counters", f"UID {max(uids)}, UIDNEXT {record.uidnext}", (max(uids),))


def _note_expunged(view: JournalView, record: Record) -> None:
    assert view.state is not None
    if record.kind == Kind.EXPUNGE:
        for index in view.state.indexes(journal.unpack_uids(record.payload)):
            view.expunged[view.state.name(index)] = view.state.uids[index]


def _check_state(state: FolderState) -> Iterator[Breach]:
    uids = state.uids
    if any(b <= a for a, b in pairwise(uids)) or (uids and not uids[0]):
        yield Breach("uids", "UIDs do not ascend")
    if uids and uids[-1] >= state.uidnext:
        yield Breach("counters", f"UID {uids[-1]}, UIDNEXT {state.uidnext}", (uids[-1],))
    if above := [uid for uid, m in zip(uids, state.modseqs, strict=True) if m > state.modseq]:
        yield Breach("counters", f"MODSEQ above the highest, {state.modseq}", tuple(above))
    seen: dict[bytes, int] = {}
    for index, uid in enumerate(uids):
        name = state.name(index)
        if name in seen:
            yield Breach("names", os.fsdecode(name), (seen[name], uid))
        seen[name] = uid


def _check_totals(state: FolderState, told: Totals) -> Iterator[Breach]:
    """By the names, not by the sum that the state keeps: that came from a record as well."""
    there = Totals(len(state), state.size_for_quota(range(len(state))))
    if told != there:
        detail = f"{told.size} bytes in {told.messages} messages told, {there.size} in "
        yield Breach("quota", f"{detail}{there.messages} recorded")


def compare(folder: bytes, view: JournalView, files: list[FoundFile]) -> Iterator[Breach]:
    """Files against the journal, both as they are under the lock."""
    state = view.state
    assert state is not None
    by_base: defaultdict[bytes, list[FoundFile]] = defaultdict(list)
    for file in files:
        by_base[file.base].append(file)
    known: set[bytes] = set()
    for index, uid in enumerate(state.uids):
        here = by_base.get(state.name(index), [])
        known.add(state.name(index))
        if not here:
            yield Breach("missing", os.fsdecode(state.name(index)), (uid,))
        if len(here) > 1:
            yield Breach("twins", ", ".join(os.fsdecode(file.relative) for file in here), (uid,))
        elif here and here[0].place == CUR:
            yield from _check_letters(state, index, here[0])
    for base, here in by_base.items():
        if base not in known:
            yield from _check_stranger(view, base, here)
    yield from _check_keywords_file(folder, state, files)


def _check_letters(state: FolderState, index: int, file: FoundFile) -> Iterator[Breach]:
    mask = names.lettered_bits(state.keywords)
    told = (names.flags_in(file.letters), names.keyword_bits_in(file.letters, state.keywords))
    if told != (state.flags[index], state.bits[index] & mask):
        wanted = os.fsdecode(state.letters(index))
        yield Breach(
            "flags", f"{os.fsdecode(file.name)} should tell {wanted!r}", (state.uids[index],)
        )


def _check_stranger(view: JournalView, base: bytes, here: list[FoundFile]) -> Iterator[Breach]:
    uid = view.expunged.get(base)
    if uid is not None:
        yield Breach("expunged", os.fsdecode(here[0].relative), (uid,))
    elif any(file.place == CUR for file in here):
        yield Breach("unrecorded", os.fsdecode(here[0].relative))
    if len(here) > 1:
        yield Breach("twins", ", ".join(os.fsdecode(file.relative) for file in here))


def _check_keywords_file(
    folder: bytes, state: FolderState, files: list[FoundFile]
) -> Iterator[Breach]:
    """A letter that no file name uses may be missing from the file (a crash between the two)."""
    written = read_keyword_letters(folder)
    used = set().union(*(file.letters for file in files))
    for index, word in enumerate(state.keywords[:26]):
        letter = names.keyword_letter(index, word)
        there = written[index] if index < len(written) else ""
        if (there and there.lower() != word.lower()) or (
            not there and letter and letter != b"P" and letter[0] in used
        ):
            yield Breach("keywords-file", f"letter {chr(97 + index)}: {there!r}, journal {word!r}")


def look_at_files(
    folder: bytes, state: FolderState, files: list[FoundFile], *, deep: bool
) -> Iterator[Breach]:
    """Sizes and kinds of the message files; ``deep`` reads each whole. Needs no lock: a message's
    bytes never change, and one that was renamed or expunged meanwhile is passed over."""
    index_of = {state.name(index): index for index in range(len(state))}
    for file in files:
        index = index_of.get(file.base, -1)
        uids = (state.uids[index],) if index >= 0 else ()
        path = folder + b"/" + file.relative
        try:
            with storage_errors(path):
                facts = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISREG(facts.st_mode):
            yield Breach("unreadable", os.fsdecode(file.relative), uids)
            continue
        kept = state.sizes[index] if index >= 0 else None
        for detail in _check_sizes(path, file, facts.st_size, kept, deep):
            yield Breach("size", detail, uids)


def _check_sizes(
    path: bytes, file: FoundFile, size: int, kept: int | None, deep: bool
) -> Iterator[str]:
    """What differs between name, file (``size``) and journal (``kept``)."""
    told, told_crlf = names.size_in(file.base), names.vsize_in(file.base)
    if told is not None and told != size:
        yield f"{os.fsdecode(file.name)}: the file has {size} bytes"
    crlf = told_crlf
    if deep:
        try:
            crlf = measure(path)[1]
        except FileNotFoundError:
            return
        if told_crlf is not None and told_crlf != crlf:
            yield f"{os.fsdecode(file.name)}: {crlf} bytes with CRLF"
    if crlf is not None and kept is not None and kept != crlf:
        yield f"journal says {kept}, it is {crlf}"


def measure(path: bytes) -> tuple[int, int]:
    """The file's size, and its size with every line end as CRLF. Raises ``FileNotFoundError``."""
    size, bare, last = 0, 0, b""
    with storage_errors(path), open(path, "rb", buffering=0) as opened:
        while block := opened.read(1 << 20):
            size += len(block)
            bare += block.count(b"\n") - (last + block).count(b"\r\n")
            last = block[-1:]
    return size, size + bare


def look_at_tmp(folder: bytes, now: float) -> Iterator[Breach]:
    """Leftovers in tmp."""
    for name in stale_in_tmp(folder, now):
        yield Breach("tmp", os.fsdecode(name))


def stale_in_tmp(folder: bytes, now: float) -> list[bytes]:
    """Names in tmp that no delivery will come back for. Their ctime counts: mtime is the message's
    own date, however old."""
    path = folder + b"/" + listing.TMP
    stale = []
    with storage_errors(path), os.scandir(path) as entries:
        for entry in entries:
            try:
                if now - entry.stat(follow_symlinks=False).st_ctime > TMP_LIFE_S:
                    stale.append(entry.name)
            except FileNotFoundError:
                continue
    return stale
