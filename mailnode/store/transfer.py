"""Bringing messages into a folder: staged in ``tmp/``, placed under the lock, made durable.

Promises: ``append``, ``copy`` and ``move`` store all or none; it is durable after ``settle`` (which
``move`` does itself); a moved message is at no time in neither folder (a crash may leave it in
both).
Fails: ``StorageFull``, ``StorageGone``, ``NoSuchFolder``, ``FolderBusy``.
Locks: ``core.changing``; for two folders both, ordered by path.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import NamedTuple

from mailnode.model.errors import MailnodeError, NoSuchFolder, StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import NewMessage, change, names
from mailnode.store.core import FolderCore
from mailnode.store.journal import Added, Kind, pack_added
from mailnode.store.writing import Turn

_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP})
_MICRO = 1_000_000
_SEEN = int(Flag.SEEN)  # arithmetic with the enum takes microseconds
_OPEN_FILES = 64
_NONE = frozenset[str]()

SyncDir = Callable[[bytes], None]
Fits = Callable[[FolderCore], None]


def always(_core: FolderCore) -> None:
    """What takes no room."""


class Dress(NamedTuple):
    """How messages look in the folder they come to.

    ``flags``: from a message's UID and flags in the source, those of its copy; ``keywords``: they
    come along; ``seen``: is told the new UIDs that its reader has seen, once they are recorded,
    where ``\\Seen`` is the reader's own (the message itself then has none). Who dies in between
    leaves messages that were not acknowledged, and unseen. ``fits``: raises ``RoomTaken`` if there
    is no room any more for what was reserved; asked under the target's lock.
    """

    flags: Callable[[int, int], int] = lambda uid, flags: flags
    keywords: bool = True
    seen: Callable[[list[int]], None] | None = None
    fits: Fits = always

    def common(self, entry: Added) -> Added:
        """The entry without ``\\Seen`` where that is the reader's own."""
        return entry._replace(flags=entry.flags & ~_SEEN) if self.seen else entry

    def note(self, core: FolderCore, entries: list[Added]) -> None:
        """Note the reader's own ``\\Seen`` of messages just recorded (entries as they came), or
        take them all away again."""
        uids = [entry.uid for entry in entries if entry.flags & _SEEN]
        if self.seen is None or not uids:
            return
        try:
            self.seen(uids)
        except BaseException:
            with suppress(OSError, MailnodeError):  # the first error is the one to tell
                change.remove(core, [entry.uid for entry in entries], only_deleted=False)
            raise


AS_IT_IS = Dress()


class Staged(NamedTuple):
    """A message written to ``tmp/`` (path) but not yet placed; ``base`` is its final base name."""

    path: bytes
    base: bytes
    size: int
    message: NewMessage


def _write_one(path: bytes, chunks: Sequence[files.Chunk], *, mtime: float) -> tuple[int, int]:
    """As ``files.write_open``, but durable and closed already: no other file is to be written
    while the disk works."""
    return -1, files.write_new(path, chunks, mtime=mtime)


def stage(
    core: FolderCore, message: NewMessage, write: Callable[..., tuple[int, int]] = files.write_open
) -> tuple[Staged, int]:
    """Write the message's bytes to ``tmp/``; with the descriptor for ``files.sync_and_close``,
    which makes them durable."""
    context = core.context
    unique = names.unique_name(context.clock.now(), context.node)
    path = core.path + b"/tmp/" + unique
    try:
        fd, size = write(path, message.chunks, mtime=message.internal_date)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchFolder(core.key) from error
    return Staged(path, names.with_sizes(unique, size, size), size, message), fd


def unstage(staged: Iterable[Staged]) -> None:
    """Remove what was staged and will not be placed."""
    for one in staged:
        try:
            files.unlink(one.path, missing_ok=True)
        except (OSError, StorageGone):
            pass  # swept from tmp/ by the checker once it is old


def added(core: FolderCore, uid: int, staged: Staged, bits: int) -> Added:
    """The ADD entry of a staged message."""
    internal_us = int(staged.message.internal_date * _MICRO)
    save_us = int(core.context.clock.now() * _MICRO)
    flags = int(staged.message.flags)
    return Added(uid, flags, bits, staged.size, internal_us, save_us, staged.base)


def stage_all(core: FolderCore, messages: Sequence[NewMessage]) -> list[Staged]:
    """Write all messages to ``tmp/``, durably, or none."""
    staged: list[Staged] = []
    try:
        for some in _some_at_once(messages):
            _stage_together(core, some, staged)
    except BaseException:
        unstage(staged)
        raise
    return staged


def _some_at_once(messages: Sequence[NewMessage]) -> Iterator[Sequence[NewMessage]]:
    """Each is an open file until it is synced."""
    return (messages[at : at + _OPEN_FILES] for at in range(0, len(messages), _OPEN_FILES))


def _stage_together(core: FolderCore, messages: Sequence[NewMessage], staged: list[Staged]) -> None:
    if len(messages) == 1:
        staged.append(stage(core, messages[0], write=_write_one)[0])
        return
    with ExitStack() as stack:
        for message in messages:
            one, fd = stage(core, message)
            staged.append(one)
            stack.callback(files.sync_and_close, fd, one.path)


def append(core: FolderCore, staged: list[Staged], dress: Dress = AS_IT_IS) -> list[int]:
    """See ``Folder.append``; quota is the caller's, and so is ``settle``."""
    try:
        with core.changing():
            return _place(core, staged, dress)
    except BaseException:
        unstage(staged)
        raise


def settle(core: FolderCore, sync_dir: SyncDir) -> None:
    """Names and records durable: from here on the client may hear OK."""
    began = core.changed
    sync_dir(core.path + b"/cur")
    with core.ledger.mutex:
        core.catch_up()
        if core.unsynced_uids:
            core.sync_uids()
            core.settled = began


def _place(core: FolderCore, staged: list[Staged], dress: Dress) -> list[int]:
    dress.fits(core)
    entries: list[Added] = []
    uid = core.state.uidnext
    for one in staged:
        bits = core.keyword_bits(one.message.keywords)
        entries.append(added(core, uid + len(entries), one, bits))
    common = [dress.common(entry) for entry in entries]
    moves = [(one.path, _cur_path(core, entry)) for one, entry in zip(staged, common, strict=True)]
    with _placing(core) as placed:
        for old, new in moves:
            files.rename(old, new)
            placed.append(new)
        uids = _record(core, common)
    dress.note(core, entries)
    return uids


def _cur_path(core: FolderCore, entry: Added) -> bytes:
    letters = names.letters_for(entry.flags, entry.keyword_bits, core.state.keywords)
    return core.path + b"/cur/" + entry.name + names.INFO + letters


def _record(core: FolderCore, entries: list[Added]) -> list[int]:
    if entries:
        core.commit(Kind.ADD, pack_added(entries), uidnext=entries[-1].uid + 1)
    return [entry.uid for entry in entries]


@contextmanager
def _placing(core: FolderCore) -> Iterator[list[bytes]]:
    """Collects the paths placed in ``cur``; takes them away again unless all went well."""
    placed: list[bytes] = []
    with core.ledger.under_way(core.offset):
        try:
            yield placed
        except BaseException:
            for path in placed:
                try:
                    os.unlink(path)
                except OSError:
                    pass  # a copy too many is found by the next full look at the folder
            raise


# -- copy and move -------------------------------------------------------------------------


def _both(source: FolderCore, target: FolderCore) -> tuple[Turn, Turn | nullcontext[None]]:
    """What to enter, in this order."""
    if source.path == target.path:
        return target.changing(), nullcontext()
    first, second = (source, target) if source.path < target.path else (target, source)
    return first.changing(), second.changing()


class _Original(NamedTuple):
    """A message to be copied, as its folder has it; ``words``: its keywords."""

    uid: int
    flags: int
    words: frozenset[str]
    size: int
    disk_size: int
    internal_us: int
    email_id: bytes
    path: bytes


class _Moved(Exception):
    """A file is not where the journal says, or cannot have two names."""


def copy(
    source: FolderCore, uids: Iterable[int], target: FolderCore, dress: Dress = AS_IT_IS
) -> list[tuple[int, int]]:
    """See ``Folder.copy``; ``settle`` the target afterwards.

    A message that still has the name that the journal says has the flags it says, too, and nobody
    expunged it: to be copied it needs no turn as the source's writer.
    """
    wanted = list(uids)
    with source.ledger.mutex:
        originals = _originals(source, wanted, dress)
    try:
        with target.changing():
            return _copy(originals, target, dress, _link_in_place)
    except _Moved:
        pass
    first, second = _both(source, target)
    with first, second:
        return _copy_locked(source, wanted, target, dress)


def move(
    source: FolderCore,
    uids: Iterable[int],
    target: FolderCore,
    sync_dir: SyncDir,
    dress: Dress = AS_IT_IS,
) -> list[tuple[int, int]]:
    """See ``Folder.move``: copied, durable, then removed, with both folders locked throughout."""
    wanted = list(uids)
    first, second = _both(source, target)
    with first, second:
        pairs = _copy_locked(source, wanted, target, dress)
        if pairs:
            settle(target, sync_dir)
            change.remove(source, [old for old, _ in pairs], only_deleted=False)
    return pairs


def _originals(source: FolderCore, uids: Iterable[int], dress: Dress) -> list[_Original]:
    """Those of these messages that are there; under the folder's mutex."""
    state = source.state
    known = {i: word for i, word in enumerate(state.keywords) if word} if dress.keywords else {}
    found = []
    for at in state.indexes(uids):
        bits, base = state.bits[at], state.name(at)
        words = frozenset(word for i, word in known.items() if bits >> i & 1) if bits else _NONE
        path = source.path + b"/" + source.expected(at)
        size = change.disk_size(state, at, base)
        facts = (state.sizes[at], size, state.internal_us[at], state.email_id(at), path)
        found.append(_Original(state.uids[at], state.flags[at], words, *facts))
    return found


def _copy_locked(
    source: FolderCore, uids: list[int], target: FolderCore, dress: Dress
) -> list[tuple[int, int]]:
    """As both folders' only writer: wherever the files are."""
    originals = _originals(source, uids, dress)
    return _copy(originals, target, dress, lambda one, path: _link(source, one, path))


def _copy(
    originals: list[_Original],
    target: FolderCore,
    dress: Dress,
    link: Callable[[_Original, bytes], bool],
) -> list[tuple[int, int]]:
    """``link`` gives a message's file a second name; False when the message is gone."""
    dress.fits(target)
    old_uids: list[int] = []
    entries: list[Added] = []
    with _placing(target) as placed:
        for one in originals:
            bits = target.keyword_bits(one.words) if one.words else 0
            entry = _entry(one, target, target.state.uidnext + len(entries), bits)
            entry = entry._replace(flags=dress.flags(one.uid, one.flags))
            if link(one, path := _cur_path(target, dress.common(entry))):
                placed.append(path)
                old_uids.append(one.uid)
                entries.append(entry)
        uids = _record(target, [dress.common(entry) for entry in entries])
    dress.note(target, entries)
    return list(zip(old_uids, uids, strict=True))


def _entry(one: _Original, target: FolderCore, uid: int, bits: int) -> Added:
    now = target.context.clock.now()
    base = names.with_sizes(names.unique_name(now, target.context.node), one.disk_size, one.size)
    save_us = int(now * _MICRO)
    return Added(uid, one.flags, bits, one.size, one.internal_us, save_us, base, one.email_id)


def _link_in_place(one: _Original, target: bytes) -> bool:
    if not _linked(one.path, target):
        raise _Moved
    return True


def _link(source: FolderCore, one: _Original, target: bytes) -> bool:
    if _linked(one.path, target):
        return True
    opened = source.open_file(one.uid)  # wherever it is
    if opened is None:
        return False
    fd, base = opened
    with os.fdopen(fd, "rb", buffering=0) as file:
        for relative in (source.expected(source.state.index(one.uid)), b"new/" + base):
            if _linked(source.path + b"/" + relative, target):
                return True
        files.write_new(target, (file,), mtime=os.fstat(fd).st_mtime)
    return True


def _linked(path: bytes, target: bytes) -> bool:
    """False where the file is elsewhere, or cannot have two names."""
    try:
        files.link(path, target)
    except FileNotFoundError:
        return False
    except (OSError, StorageGone) as error:
        if _reason(error) not in _NO_LINK:
            raise
        return False
    return True


def _reason(error: BaseException) -> int:
    cause = error if isinstance(error, OSError) else error.__cause__
    return cause.errno or 0 if isinstance(cause, OSError) else 0
