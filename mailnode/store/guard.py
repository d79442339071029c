"""Is this our store, or a bare mount point?

The guard file ``mailnode.store`` under the mail root names the store. It is laid once, by a
person's command; nothing is ever written under a root that lacks it.
Promises: ``check`` costs one system call, and two more once a second; it tells the log what to do,
at most once a minute.
Fails: ``StorageGone``.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from mailnode.model.errors import StorageGone
from mailnode.runtime import files
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog

GUARD_NAME = "mailnode.store"
_TEXT = re.compile(rb"mailnode store 1\nid ([0-9a-f]{32})\n")
_LOG_EVERY_S = 60.0
# Whether it can be written to is not asked again for so long: who writes meanwhile hears of it.
_WRITABLE_S = 1.0


def lay_guard(root: Path) -> str:
    """Make ``root`` a store: write its guard file unless there is one; the store's id.

    Call only on a person's word. Raises ``StorageGone`` for a guard file that is not one.
    """
    path = root / GUARD_NAME
    try:
        files.write_new(str(path), (b"mailnode store 1\nid %s\n" % secrets.token_hex(16).encode(),))
        files.fsync_dir(str(root))
    except FileExistsError:
        pass
    return read_guard(root)


def read_guard(root: Path) -> str:
    """The store's id. Raises ``StorageGone`` (its text is the reason)."""
    path = root / GUARD_NAME
    try:
        with files.storage_errors(str(path)), path.open("rb") as file:
            found = _TEXT.fullmatch(file.read(200))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageGone("guard file missing") from error
    if found is None:
        raise StorageGone("guard file damaged or of a newer version")
    return found[1].decode()


class Guard:
    """Watches one mail root. ``state`` (node-local) remembers which store this node served."""

    def __init__(self, root: Path, state: Path, clock: Clock, log: MailLog) -> None:
        self._root, self._memory = root, state / "store-id"
        self._clock, self._log = clock, log
        self._file = os.fsencode(root / GUARD_NAME)
        self._seen: tuple[int, int, int] | None = None
        self._writable_until = self._logged_at = float("-inf")

    def check(self) -> None:
        """Raise ``StorageGone`` unless the root is there, ours and writable."""
        try:
            self._check()
        except StorageGone as error:
            self._tell(str(error))
            raise

    def _check(self) -> None:
        try:
            with files.storage_errors(self._file):
                now = os.stat(self._file)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._seen = None
            raise StorageGone("guard file missing") from error
        identity = (now.st_dev, now.st_ino, now.st_mtime_ns)
        if identity != self._seen:
            self._check_writable()
            self._recognise(read_guard(self._root))
            self._seen = identity
        elif self._clock.monotonic() > self._writable_until:
            self._check_writable()

    def _check_writable(self) -> None:
        with files.storage_errors(self._file):
            read_only = os.statvfs(self._file).f_flag & os.ST_RDONLY
        if read_only or not os.access(self._root, os.W_OK):
            raise StorageGone("mail root is read-only")
        self._writable_until = self._clock.monotonic() + _WRITABLE_S

    def _recognise(self, store_id: str) -> None:
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        try:
            known = self._memory.read_text("ascii").strip()
        except FileNotFoundError:
            files.replace(str(self._memory), store_id.encode() + b"\n")
            return
        if known != store_id:
            raise StorageGone(f"another store is mounted here; {self._memory} names ours")

    def _tell(self, reason: str) -> None:
        now = self._clock.monotonic()
        if now - self._logged_at < _LOG_EVERY_S:
            return
        self._logged_at = now
        self._log.event(
            Event.STORAGE,
            path=str(self._root),
            reason=reason,
            remedy=f"mount the mail storage; it must hold the file {GUARD_NAME} and be writable",
        )
