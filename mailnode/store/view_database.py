"""The files of the view: one SQLite database per user, format version and generation.

Promises: a damaged file is never written again in place but superseded by the next generation,
since another process may still have it open and SQLite removes ``-wal`` by name when that one
closes. Files of other format versions are removed, not read.
Fails: ``sqlite3.Error``, ``OSError``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailnode.runtime.tasks import Mutex, may_wait
from mailnode.store import fulltext, lines
from mailnode.wire.mime.summary import SUMMARY_VERSION

_FORMAT = 4
_NAME = f"f{_FORMAT}s{SUMMARY_VERSION}"
# A put waits so long for another process's put; then the summaries are simply not kept.
_BUSY_S = 2.0

# Kinds that are asked for together lie together; sorting reads its keys alone.
COLUMNS = {
    "summary": ("envelope", "bodystructure", "body"),
    "header": ("headers",),
    "sorting": ("sortkeys",),
    "growing": ("growth",),
}
TEXTED = ("texted",) if fulltext.AVAILABLE else ()
# The folder's number, where any of these messages has a row in whatever table.
ANYTHING = (
    "SELECT id FROM folder WHERE mailbox_id = ?1 AND uidvalidity = ?2 AND EXISTS "  # noqa: S608
    "(SELECT 1 FROM json_each(?3) AS gone WHERE "
    + " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {table}.key = (folder.id << 32) + gone.value)"  # noqa: S608
        for table in (*COLUMNS, *TEXTED)
    )
    + ")"
)
TABLES = {kind: table for table, kinds in COLUMNS.items() for kind in kinds}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
  id INTEGER PRIMARY KEY, mailbox_id TEXT NOT NULL, uidvalidity INTEGER NOT NULL,
  UNIQUE (mailbox_id, uidvalidity));
CREATE TABLE IF NOT EXISTS summary (
  key INTEGER PRIMARY KEY, envelope BLOB, bodystructure BLOB, body BLOB);
CREATE TABLE IF NOT EXISTS header (key INTEGER PRIMARY KEY, headers BLOB);
CREATE TABLE IF NOT EXISTS sorting (key INTEGER PRIMARY KEY, sortkeys BLOB);
CREATE TABLE IF NOT EXISTS growing (key INTEGER PRIMARY KEY, growth BLOB);
"""


class Database:
    """One user's open database. ``busy`` is guarded by the view's lock, the rest by ``lock``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = Mutex()
        self.busy = 0
        self.discarded = False
        self.connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            self.connection.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;"
                + _SCHEMA
                + lines.SCHEMA
                + (fulltext.SCHEMA if fulltext.AVAILABLE else "")
            )
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        """Wait for the statement under way, then close."""
        with self.lock:
            self.connection.close()


def is_damage(error: sqlite3.Error) -> bool:
    """Told from "locked", "full" and "cannot open", after which the file is still good."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    schema_is_not_ours = (
        isinstance(error, sqlite3.OperationalError) and code == sqlite3.SQLITE_ERROR
    )
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or schema_is_not_ours


def _list_files(folder: Path) -> list[Path]:
    """Everything in a user's folder; nothing if there is none."""
    try:
        return [folder / name for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _unlink(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def supersede(damaged: Path) -> Path:
    """Give the damaged file a successor (empty, to be filled by whoever opens it first)."""
    generation = int(damaged.name.split(".")[1])
    successor = damaged.with_name(f"{_NAME}.{generation + 1}.sqlite")
    successor.touch(mode=0o600)
    _unlink(damaged)
    return successor


def newest_file(folder: Path) -> Path:
    """Where to open: the newest generation of our version. Older files are removed."""
    generations: dict[int, Path] = {}
    for path in _list_files(folder):
        name, _, rest = path.name.partition(".")
        number, _, ending = rest.partition(".")
        if name != _NAME or not number.isdigit():
            path.unlink(missing_ok=True)
        elif ending == "sqlite":
            generations[int(number)] = path
    newest = max(generations, default=1)
    for generation, path in generations.items():
        if generation < newest:
            _unlink(path)
    return folder / f"{_NAME}.{newest}.sqlite"


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block did, or none of it."""
    may_wait()  # another process may be writing
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
