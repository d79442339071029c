"""Mail from elsewhere into a user's folders: Maildirs and mbox files.

Promises: flags, keywords and dates are kept, line ends become CRLF; memory for one batch. A
message counts as done only once it is durable; run again, an import goes on where it stopped:
what ``Memory`` remembers is skipped (a crash between the two may repeat one batch, never lose it).
Fails: what ``Folder.append`` raises (``OverQuota``, ``StorageFull``, ``StorageGone``) ends the
import, and it may be run again; a source message that cannot be read is told in ``problems``.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mailnode.model.errors import TemporaryError
from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.runtime import files
from mailnode.store import Account, NewMessage, names
from mailnode.store.mbox_file import Quoting, read_mbox
from mailnode.store.sources import find_sources
from mailnode.store.takeover import ForeignState, read_foreign, read_foreign_subscriptions

_BATCH_MESSAGES = 200
_BATCH_BYTES = 16 * 1024 * 1024
_MAGIC = b"mailnode-seen-1\n"
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is. ``messages_total`` is 0 while unknown (mbox: bytes tell the way);
    ``problems`` are those met since the last report."""

    folder: str
    messages_done: int = 0
    messages_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    stored: int = 0
    skipped: int = 0
    problems: tuple[str, ...] = ()


class Memory:
    """What was imported before: digests of source, folder and content in one append-only file.

    Use as a context manager; only one import at a time may use a file. The n-th equal message of a
    source is told from the first, so that true duplicates in a source all arrive.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._known: set[bytes] = set()
        self._met: Counter[bytes] = Counter()
        self._fd = -1

    def __enter__(self) -> Memory:
        with files.storage_errors(self._path):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._fd = fd
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load()
        except BlockingIOError as error:
            os.close(fd)
            raise TemporaryError(f"{self._path}: another import is using it") from error
        except BaseException:
            os.close(fd)
            raise
        return self

    def _load(self) -> None:
        with open(self._fd, "rb", closefd=False) as opened:
            raw = opened.read()
        if not raw.startswith(_MAGIC):
            files.truncate(self._fd, 0, self._path)
            files.append(self._fd, _MAGIC, self._path)
            return
        whole = len(raw) - len(raw) % _DIGEST_BYTES  # the magic is as long as a digest
        files.truncate(self._fd, whole, self._path)
        ends = range(_DIGEST_BYTES, whole, _DIGEST_BYTES)
        self._known = {raw[at : at + _DIGEST_BYTES] for at in ends}

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def digest(self, source: bytes, folder: str, content: bytes) -> bytes:
        """Names this message of this source, now met once more."""
        one = hashlib.blake2b(content, digest_size=_DIGEST_BYTES)
        one.update(b"\0".join((source, folder.encode("utf-8", "surrogateescape"))))
        first = one.digest()
        count = self._met[first]
        self._met[first] += 1
        one.update(b"%d" % count)
        return one.digest() if count else first

    def knows(self, digest: bytes) -> bool:
        """True when an earlier run stored it."""
        return digest in self._known

    def remember(self, digests: Iterable[bytes]) -> None:
        """Keep them, durably."""
        fresh = b"".join(digests)
        files.append(self._fd, fresh, self._path)
        files.fdatasync(self._fd, self._path)


class _Found(NamedTuple):
    """A message at its source; ``message`` ``None`` where it could not be read."""

    message: NewMessage | None
    size: int  # bytes at the source
    problem: str = ""


class _Arrival:
    """Messages on their way into one folder, in batches."""

    def __init__(self, account: Account, folder: str, source: bytes, memory: Memory) -> None:
        self._folder = account.open(folder)
        self._source = source
        self._memory = memory
        self._name = folder
        self._batch: list[NewMessage] = []
        self._digests: list[bytes] = []
        self._bytes = 0

    def take(self, found: Iterable[_Found], start: Progress, again: bool) -> Iterator[Progress]:
        """Store what is new; a report after each batch. The folder is closed at the end."""
        done = replace(start, folder=self._name)
        try:
            for one in found:
                done = self._take_one(done, one, again)
                if len(self._batch) >= _BATCH_MESSAGES or self._bytes >= _BATCH_BYTES:
                    done = self._flush(done)
                    yield done
                    done = replace(done, problems=())
                elif done.messages_done % _BATCH_MESSAGES == 0:
                    yield replace(done, problems=())
            yield self._flush(done)
        finally:
            self._folder.close()

    def _take_one(self, done: Progress, one: _Found, again: bool) -> Progress:
        done = replace(
            done, messages_done=done.messages_done + 1, bytes_done=done.bytes_done + one.size
        )
        if one.message is None:
            return replace(done, problems=(*done.problems, one.problem))
        content = one.message.chunks[0]
        assert isinstance(content, bytes)
        digest = self._memory.digest(self._source, self._name, content)
        if self._memory.knows(digest) and not again:
            return replace(done, skipped=done.skipped + 1)
        self._batch.append(one.message)
        self._digests.append(digest)
        self._bytes += len(content)
        return done

    def _flush(self, done: Progress) -> Progress:
        count = len(self._batch)
        if count:
            self._folder.append(self._batch)
            # From here on the messages are stored; what is remembered now is not stored twice.
            self._memory.remember(self._digests)
            self._batch, self._digests, self._bytes = [], [], 0
        return replace(done, stored=done.stored + count)


def import_mbox(
    source: Path,
    account: Account,
    folder: str,
    *,
    memory: Path,
    again: bool = False,
    quoting: Quoting = Quoting.MBOXRD,
) -> Iterator[Progress]:
    """Bring an mbox file's messages into ``folder`` (made if missing).

    ``memory`` is a file that remembers what was stored; ``again`` stores all of it once more.
    Raises ``ValueError`` for a file that is no mbox, ``OSError`` for one that cannot be read.
    """
    with Memory(memory) as seen, source.open("rb") as opened:
        facts = os.fstat(opened.fileno())
        _make(account, [folder])
        arrival = _Arrival(account, folder, os.fsencode(source.resolve()), seen)

        def found() -> Iterator[_Found]:
            start = 0
            for one in read_mbox(opened, quoting):
                date = facts.st_mtime if one.date is None else one.date
                yield _Found(
                    _new_message(one.raw, date, one.flags, frozenset(one.keywords)),
                    one.end - start,
                )
                start = one.end

        yield from arrival.take(found(), Progress(folder, bytes_total=facts.st_size), again)


def import_maildir(
    source: Path, account: Account, *, memory: Path, again: bool = False, into: str = ""
) -> Iterator[Progress]:
    """Bring a Maildir with its sub-folders and subscriptions, or a tree of Maildirs, into the
    account.

    INBOX goes to ``into`` or INBOX, sub-folders keep their names (below ``into``; see ``sources``).
    Raises ``ValueError`` where ``source`` is no Maildir.
    """
    folders, problems = find_sources(source, into)
    listed = {name: _message_files(path) for name, path in folders.items()}
    done = Progress(
        "",
        messages_total=sum(map(len, listed.values())),
        bytes_total=sum(one.size for found in listed.values() for one in found),
        problems=problems,
    )
    with Memory(memory) as seen:
        _make(account, folders)
        for name, path in folders.items():
            foreign = read_foreign(os.fsencode(path)) or ForeignState()
            arrival = _Arrival(account, name, os.fsencode(path.resolve()), seen)
            for report in arrival.take(_read_files(listed.pop(name), foreign), done, again):
                yield report
                done = report
            done = replace(done, problems=())
        if not into:
            _subscribe(account, read_foreign_subscriptions(os.fsencode(source)) or [])


def _make(account: Account, wanted: Iterable[str]) -> None:
    there = {folder.name for folder in account.folders() if folder.selectable}
    for name in wanted:
        if names.canonical(name) not in there:
            account.create(name)


def _subscribe(account: Account, wanted: list[str]) -> None:
    for name in wanted:
        account.subscribe(name, True)


class _MessageFile(NamedTuple):
    path: bytes
    size: int
    mtime: float


def _message_files(folder: Path) -> list[_MessageFile]:
    """Message files in the order of their arrival."""
    found: list[_MessageFile] = []
    for part in ("cur", "new"):
        try:
            with os.scandir(os.fsencode(folder / part)) as entries:
                for entry in entries:
                    if entry.name.startswith(b"."):
                        continue
                    facts = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(facts.st_mode):
                        found.append(_MessageFile(entry.path, facts.st_size, facts.st_mtime))
        except FileNotFoundError:
            continue
    found.sort(key=lambda one: names.arrival_order(os.path.basename(one.path)))
    return found


def _read_files(listed: Iterable[_MessageFile], foreign: ForeignState) -> Iterator[_Found]:
    for one in listed:
        try:
            raw = _read_plainly(one.path)
        except OSError as error:
            problem = f"{os.fsdecode(one.path)}: {error.strerror or error}"
            yield _Found(None, one.size, problem)
            continue
        base, letters = names.split_name(os.path.basename(one.path))
        flags = Flag(names.flags_in(letters))
        yield _Found(
            _new_message(raw, one.mtime, flags, _keywords(base, letters, foreign)), one.size
        )


def _read_plainly(path: bytes) -> bytes:
    """A file's bytes. Follows no symbolic link, which may lead to mail that the owner of this
    Maildir could not read, and waits for no pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "a symbolic link; it is not followed") from None
        raise
    with open(fd, "rb") as opened:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no plain file")
        return opened.read()


def _keywords(base: bytes, letters: bytes, foreign: ForeignState) -> frozenset[str]:
    """Keywords by Dovecot's letters, Courier's marks, and the ``P`` (passed on) of all."""
    marks = set(foreign.marks.get(base, ()))
    marks |= {word for i, word in enumerate(foreign.keywords) if word and 97 + i in letters}
    if b"P" in letters and not any(word.lower() == names.FORWARDED for word in marks):
        marks.add("$Forwarded")
    return frozenset(marks)


def _new_message(
    raw: bytes, date: float, flags: Flag = NO_FLAGS, keywords: frozenset[str] = frozenset()
) -> NewMessage:
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return NewMessage((raw,), max(date, 0.0), flags, keywords)
