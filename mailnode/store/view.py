"""The node's own copy of what parsing found: ready-to-send summaries, per user in SQLite.

Promises: nothing here is needed: whatever is missing, damaged, locked or made by another version
is a miss, and is made again from the message. A UID never names two messages under one
UIDVALIDITY, so an entry is right for ever. Local disk only (SQLite's locks do not cross nodes).
Fails: never, save ``NoSuchMessage`` and ``StorageGone`` of the caller's own ``read``.
Locks: one per open database, held for one statement batch, never while parsing or reading mail;
``View._lock`` for a look into a dict (and while a damaged file gets its successor), never while a
database is opened or closed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from mailnode.model.errors import NoSuchMessage
from mailnode.runtime.maillog import Event, MailLog, NullLog
from mailnode.runtime.tasks import is_brisk, may_wait
from mailnode.store import fulltext
from mailnode.store import lines as line_blocks
from mailnode.store.lines import Block
from mailnode.store.parsed import MAX_KEPT_BYTES, bare_summary, kept
from mailnode.store.view_database import (
    ANYTHING,
    COLUMNS,
    TABLES,
    TEXTED,
    Database,
    is_damage,
    newest_file,
    supersede,
    transaction,
)
from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.sortkeys import make_keys
from mailnode.wire.mime.summary import header_block, structures, summarise
from mailnode.wire.mime.surrogate import make_growth

T = TypeVar("T")

_PUT_BATCH = 200
_GET_BATCH = 2000

# What is made of the header block alone, and read without it.
_OF_HEADERS = {"sortkeys": make_keys, "growth": make_growth}
# Made of the header alone: the rest of the message need not be read.
_BY_HEADER = frozenset(("envelope", "headers"))


class View:
    """All users' views on this node, with a bounded number of open databases. Thread-safe;
    any number of processes may have views of one ``state`` folder."""

    def __init__(self, state: Path, *, max_open: int = 64, log: MailLog | None = None) -> None:
        self._folder = state / "view"
        self._max_open = max_open
        self._log = log or NullLog()
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Database] = OrderedDict()
        self._left: list[Database] = []  # used and known no more, to be closed
        self._complained = False

    def folder(self, user: str, mailbox_id: str, uidvalidity: int) -> FolderView:
        """The view of one folder; cheap, opens nothing yet."""
        return FolderView(self, user, mailbox_id, uidvalidity)

    def close(self) -> None:
        """Close every database."""
        with self._lock:
            databases = [*self._open.values(), *self._left]
            self._open.clear()
            self._left = []
        for database in databases:
            database.close()

    def attempt(self, user: str, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Run ``work`` on the user's database; ``otherwise`` when it cannot be used now."""
        try:
            with self._database(user) as database, database.lock:
                try:
                    return work(database.connection)
                except sqlite3.DatabaseError as error:
                    if is_damage(error):
                        database.discarded = True
                    raise
        except (sqlite3.Error, OSError) as error:
            self._complain(user, error)
            return otherwise

    @contextmanager
    def _database(self, user: str) -> Iterator[Database]:
        with self._lock:
            database = self._take(user, None)
        if database is None:
            may_wait()
            fresh = self._connect(user)  # without the lock: others read meanwhile
            with self._lock:
                database = self._take(user, fresh)
                assert database is not None
            if database is not fresh:
                fresh.close()
        try:
            yield database
        finally:
            self._give_back(user, database)
            self._close_left()

    def _give_back(self, user: str, database: Database) -> None:
        with self._lock:
            database.busy -= 1
            if database.discarded and self._open.get(user) is database:
                del self._open[user]
                supersede(database.path)
            if database.busy == 0 and self._open.get(user) is not database:
                self._left.append(database)
            self._evict()

    def _close_left(self) -> None:
        """Without the lock: the last one to close a file writes its log back and syncs it. Not on
        the loop, where the next call that may wait does it."""
        if not self._left or is_brisk():
            return
        with self._lock:
            left, self._left = self._left, []
        for database in left:
            database.close()

    def _take(self, user: str, fresh: Database | None) -> Database | None:
        """The open database, or else ``fresh``, one use more. Caller holds the lock."""
        database = self._open.setdefault(user, fresh) if fresh else self._open.get(user)
        if database is not None:
            self._open.move_to_end(user)
            database.busy += 1
        return database

    def _evict(self) -> None:
        """Leave databases unused for longest to be closed. Caller holds the lock."""
        surplus = len(self._open) - self._max_open
        if surplus <= 0:
            return
        for user in [name for name, one in self._open.items() if one.busy == 0][:surplus]:
            self._left.append(self._open.pop(user))

    def _user_folder(self, user: str) -> Path:
        digest = hashlib.sha256(user.encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / digest[:2] / digest[2:34]

    def _connect(self, user: str) -> Database:
        """Open the newest file of our version, or a next one where that is damaged."""
        folder = self._user_folder(user)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = newest_file(folder)
        try:
            return Database(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._complain(user, error)
            return Database(supersede(path))

    def _complain(self, user: str, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            self._log.event(
                Event.STORAGE,
                path=str(self._user_folder(user)),
                reason=str(error),
                remedy="local state folder must be writable and have room; views are rebuilt",
            )


class FolderView:
    """Summaries of one folder under one UIDVALIDITY.

    Kinds: ``wire.mime.summary.KINDS``, ``sortkeys`` and ``growth``.
    """

    def __init__(self, view: View, user: str, mailbox_id: str, uidvalidity: int) -> None:
        self._view = view
        self._user = user
        self._identity = (mailbox_id, uidvalidity)

    def get(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """What is kept of these messages; the rest is left out."""
        wanted = list(uids)
        return self._view.attempt(self._user, lambda db: self._get(db, wanted, kind), {})

    def _get(self, db: sqlite3.Connection, wanted: list[int], kind: str) -> dict[int, bytes]:
        found, table = dict[int, bytes](), TABLES[kind]
        # The kind is one of six words of ours. The order of the tables is the one meant.
        query = (
            f"SELECT wanted.value, {kind} FROM folder CROSS JOIN json_each(?3) AS wanted "  # noqa: S608
            f"CROSS JOIN {table} ON {table}.key = (folder.id << 32) + wanted.value "
            f"WHERE mailbox_id = ?1 AND uidvalidity = ?2 AND {kind} IS NOT NULL"
        )
        for start in range(0, len(wanted), _GET_BATCH):
            batch = json.dumps(wanted[start : start + _GET_BATCH])
            found.update(db.execute(query, (*self._identity, batch)))
        return found

    def put(self, summaries: Mapping[int, Mapping[str, bytes]]) -> None:
        """Keep summaries (UID to kind to bytes); those beyond ``MAX_KEPT_BYTES`` are dropped."""
        if summaries:
            self._view.attempt(self._user, lambda db: self._put(db, summaries), None)

    def _put(self, db: sqlite3.Connection, summaries: Mapping[int, Mapping[str, bytes]]) -> None:
        with transaction(db):
            first_key = self._first_key(db, make=True)
            assert first_key is not None
            for table, kinds in COLUMNS.items():
                marks = ",?" * len(kinds)
                db.executemany(
                    f"INSERT OR REPLACE INTO {table} VALUES (?{marks})",  # noqa: S608
                    [
                        (first_key + uid, *kept(made, kinds))
                        for uid, made in summaries.items()
                        if kinds[0] in made
                    ],
                )

    def forget(self, uids: Iterable[int]) -> None:
        """Drop messages that were expunged."""
        gone = list(uids)
        if gone:
            self._view.attempt(self._user, lambda db: self._forget(db, gone), None)

    def _forget(self, db: sqlite3.Connection, gone: list[int]) -> None:
        found = db.execute(ANYTHING, (*self._identity, json.dumps(gone))).fetchone()
        if found is None:
            return  # expunged before anybody looked: nothing to wait for others for
        keys = [((found[0] << 32) + uid,) for uid in gone]
        with transaction(db):
            for table in COLUMNS:
                db.executemany(f"DELETE FROM {table} WHERE key = ?", keys)  # noqa: S608
            line_blocks.forget(db, found[0] << 32, gone)
            if fulltext.AVAILABLE:
                cursor = db.executemany("DELETE FROM texted WHERE key = ?", keys)
                fulltext.note_gone(db, cursor.rowcount)

    def prune(self, live: Iterable[int]) -> None:
        """Drop everything but ``live``: for a folder whose expunges went by unseen."""
        keep = json.dumps(list(live))
        self._view.attempt(self._user, lambda db: self._prune(db, keep), None)

    def _prune(self, db: sqlite3.Connection, keep: str) -> None:
        first_key = self._first_key(db, make=False)
        if first_key is None:
            return
        with transaction(db):
            last_key = first_key + 0xFFFFFFFF
            db.execute("DELETE FROM line WHERE key BETWEEN ? AND ?", (first_key, last_key))
            for table in (*COLUMNS, *TEXTED):
                cursor = db.execute(
                    f"DELETE FROM {table} WHERE key BETWEEN ?1 AND ?1 + 4294967295 "  # noqa: S608
                    "AND key NOT IN (SELECT value + ?1 FROM json_each(?2))",
                    (first_key, keep),
                )
                if table in TEXTED:
                    fulltext.note_gone(db, cursor.rowcount)

    def may_contain(self, uids: Iterable[int], needle: str) -> dict[int, bool]:
        """Those whose text may contain ``needle`` (in the form of ``wire.mime.casemap``), and
        whether it is indexed; the rest certainly does not."""
        wanted = list(uids)
        unknown = dict.fromkeys(wanted, not fulltext.AVAILABLE)
        if not fulltext.AVAILABLE:
            return unknown

        def look(db: sqlite3.Connection) -> dict[int, bool]:
            first_key = self._first_key(db, make=False)
            if first_key is None:
                return unknown
            return fulltext.may_contain(db, first_key, wanted, needle)

        return self._view.attempt(self._user, look, unknown)

    def keep_texts(self, texts: Mapping[int, str]) -> None:
        """Index the searchable text of these messages."""

        def keep(db: sqlite3.Connection) -> None:
            with transaction(db):
                first_key = self._first_key(db, make=True)
                assert first_key is not None
                fulltext.keep_texts(db, first_key, texts)

        if texts and fulltext.AVAILABLE:
            self._view.attempt(self._user, keep, None)

    def lines(self, kind: str, numbers: Iterable[int]) -> dict[int, Block]:
        """Blocks of lines of a kind of ``lines.KINDS``, by their numbers, as far as kept."""

        def look(db: sqlite3.Connection) -> dict[int, Block]:
            first_key = self._first_key(db, make=False)
            return {} if first_key is None else line_blocks.get(db, first_key, kind, numbers)

        return self._view.attempt(self._user, look, {})

    def keep_lines(self, kind: str, lines: Mapping[int, bytes]) -> None:
        """Add lines (UID to bytes) to the blocks of a kind."""

        def keep(db: sqlite3.Connection) -> None:
            with transaction(db):
                first_key = self._first_key(db, make=True)
                assert first_key is not None
                line_blocks.keep(db, first_key, kind, lines)

        if lines:
            self._view.attempt(self._user, keep, None)

    def forget_folder(self) -> None:
        """Drop the folder itself (deleted, or its UIDVALIDITY changed)."""
        self.prune(())
        self._view.attempt(self._user, self._forget_folder, None)

    def _forget_folder(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM folder WHERE mailbox_id = ? AND uidvalidity = ?", self._identity)

    def _first_key(self, db: sqlite3.Connection, *, make: bool) -> int | None:
        """Keys are folder number times 2**32 plus UID, so that a folder is one range of rows."""
        if make:
            db.execute(
                "INSERT OR IGNORE INTO folder (mailbox_id, uidvalidity) VALUES (?,?)",
                self._identity,
            )
        row = db.execute(
            "SELECT id FROM folder WHERE mailbox_id = ? AND uidvalidity = ?", self._identity
        ).fetchone()
        return None if row is None else int(row[0]) << 32

    def summaries(
        self,
        uids: Iterable[int],
        kind: str,
        read: Callable[[int], bytes],
        read_head: Callable[[int], bytes] | None = None,
    ) -> dict[int, bytes]:
        """One kind for these messages, made with ``read(uid)`` where it is not kept yet.

        ``read_head(uid)``, which may read less, gives at least the message's header block. Messages
        for which they raise ``NoSuchMessage`` are left out.
        """
        wanted = list(uids)
        found = self.get(wanted, kind)
        missing = [uid for uid in wanted if uid not in found]
        if missing:
            may_wait()
        if kind in _OF_HEADERS:
            headers = self.summaries(missing, "headers", read, read_head) if missing else {}
            keys = {uid: _OF_HEADERS[kind](block) for uid, block in headers.items()}
            self.put({uid: {kind: raw} for uid, raw in keys.items()})
            return found | keys
        fresh: dict[int, Mapping[str, bytes]] = {}
        envelopes = {} if kind in _BY_HEADER or not missing else self.get(missing, "envelope")
        for uid in missing:
            try:
                raw = (read_head or read)(uid) if kind in _BY_HEADER else read(uid)
            except NoSuchMessage:
                continue
            made, sound = _summarise(raw, kind, envelopes.get(uid))
            found[uid] = made[kind]
            if sound:
                fresh[uid] = made
            if len(fresh) >= _PUT_BATCH:
                self.put(fresh)
                fresh = {}
        self.put(fresh)
        return found


def _summarise(raw: bytes, kind: str, envelope: bytes | None) -> tuple[Mapping[str, bytes], bool]:
    """All summaries, or what the header alone tells where that will do, or what is missing where
    the ``envelope`` is kept; and whether they are the parser's own, and to be kept."""
    try:
        if envelope is not None:
            return {"envelope": envelope, **structures(raw)}, True
        block = header_block(raw) if kind in _BY_HEADER else None
        if block is None:
            return summarise(raw), True
        if kind == "headers":
            return {kind: block}, True
        envelope = format_envelope(block)
        # One that is not kept must not take the place of a row that holds the structure.
        return {kind: envelope, "headers": block}, len(envelope) <= MAX_KEPT_BYTES
    except Exception:  # noqa: BLE001 - a message no parser foresaw must still be fetchable
        return bare_summary(raw), False
