"""The files of a Maildir folder as they lie on the disk.

Promises: a file is found wherever another program may have put it; symlinks are never followed.
Fails: ``NoSuchFolder`` when the folder or one of its parts is not a plain directory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from mailnode.model.errors import NoSuchFolder
from mailnode.runtime import files
from mailnode.runtime.files import storage_errors
from mailnode.runtime.tasks import may_wait
from mailnode.store import names
from mailnode.wire.mime.line_ends import all_crlf

CUR, NEW, TMP = b"cur", b"new", b"tmp"
PARTS = (CUR, NEW, TMP)


class FoundFile(NamedTuple):
    """A message file: ``place`` is ``cur`` or ``new``, ``name`` as on disk."""

    place: bytes
    name: bytes
    base: bytes
    letters: bytes

    @property
    def relative(self) -> bytes:
        """Path below the folder."""
        return self.place + b"/" + self.name


class FileFacts(NamedTuple):
    """What a file tells by itself. ``size`` is the one with CRLF line ends, in bytes."""

    size: int
    disk_size: int
    mtime_us: int
    ctime_us: int


def check_plain(folder: bytes) -> None:
    """Raise ``NoSuchFolder`` unless ``folder`` and its parts are directories and no symlinks."""
    paths = [folder, *(folder + b"/" + part for part in PARTS)]
    try:
        with storage_errors(folder):  # for each delivery: as little as can be
            modes = [os.lstat(path).st_mode for path in paths]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchFolder(os.fsdecode(error.filename)) from error
    for path, mode in zip(paths, modes, strict=True):
        if not stat.S_ISDIR(mode):
            raise NoSuchFolder(f"{os.fsdecode(path)} is not a plain directory")


def check_whole(folder: bytes) -> None:
    """As ``check_plain``, but where ``cur`` is there, ``new`` and ``tmp`` are made if need be: a
    copy that left empty directories out (``rsync -m``, zip, git) has neither."""
    try:
        check_plain(folder)
    except NoSuchFolder:
        may_wait()
        if not all(_is_plain(path) for path in (folder, folder + b"/" + CUR)):
            raise
    else:
        return
    try:
        made = [files.mkdir(folder + b"/" + part, exist_ok=True) for part in (NEW, TMP)]
        if any(made):
            files.fsync_dir(folder)
    except FileNotFoundError as error:
        raise NoSuchFolder(os.fsdecode(folder)) from error
    check_plain(folder)


def _is_plain(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def list_files(folder: bytes, places: Iterable[bytes] = (NEW, CUR)) -> list[FoundFile]:
    """Every message file. ``new`` before ``cur``, so that one moving over is seen at least once."""
    found: list[FoundFile] = []
    for place in places:
        path = folder + b"/" + place
        try:
            with storage_errors(path):
                entries = os.listdir(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoSuchFolder(os.fsdecode(path)) from error
        found += [
            FoundFile(place, name, *names.split_name(name))
            for name in entries
            if not name.startswith(b".")
        ]
    return found


def list_dot_directories(account: bytes) -> list[bytes]:
    """Names on disk of all that may be a folder, INBOX (the account itself) left out; none is
    asked whether it is one."""
    with storage_errors(account), os.scandir(account) as entries:
        return [
            entry.name
            for entry in entries
            if entry.name.startswith(b".") and entry.is_dir(follow_symlinks=False)
        ]


def list_folders(account: bytes) -> list[bytes]:
    """Names on disk of an account's folders, INBOX left out."""
    return only_folders(account, list_dot_directories(account))


def only_folders(account: bytes, disks: Iterable[bytes]) -> list[bytes]:
    """Those that are folders."""
    return [disk for disk in disks if os.path.isdir(account + b"/" + disk + b"/" + CUR)]


def mtime_ns(path: bytes) -> int:
    """When the names in a directory last changed."""
    try:
        with storage_errors(path):
            return os.stat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchFolder(os.fsdecode(path)) from error


def facts(folder: bytes, file: FoundFile) -> FileFacts | None:
    """Sizes and dates; None for what is gone or no regular file.

    The whole file is read only where its name does not tell its size with CRLF line ends.
    """
    path = folder + b"/" + file.relative
    try:
        with storage_errors(path):
            seen = os.lstat(path)
            if not stat.S_ISREG(seen.st_mode):
                return None
            size = names.vsize_in(file.base)
            if size is None:
                size = seen.st_size + _bare_newlines(path)
    except FileNotFoundError:
        return None
    return FileFacts(size, seen.st_size, seen.st_mtime_ns // 1000, seen.st_ctime_ns // 1000)


def _bare_newlines(path: bytes) -> int:
    """How many bytes CRLF line ends would add."""
    count, last = 0, b""
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            count += block.count(b"\n") - block.count(b"\r\n")
            if last == b"\r" and block[:1] == b"\n":
                count -= 1
            last = block[-1:]
    return count


def with_crlf(raw: bytes) -> bytes:
    """The message with every line end as CRLF."""
    if all_crlf(raw):
        return raw
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
