"""The spool on (shared) disk: one folder per message that is still owed to someone.

Layout: ``active/<id>/entry`` and ``active/<id>/message``; ``held/<id>`` and ``corrupt/<id>`` are
such folders set aside; ``incoming/`` is where they are made and unmade (``workshop``).

Promises: ``accept`` returns only once the entry is durable. Order: message written and synced;
entry (which holds the message's size and sum) written and synced; their folder synced, so that
both names are on disk; the folder renamed into ``active`` - the one step that makes the promise -
and ``active`` synced. A crash before the rename leaves nothing in ``active``; after it, a whole
entry. Unmaking goes the other way: renamed out of ``active`` in one step, then unlinked. A state
is appended and synced; a torn one is cut off and the one before holds, so that a crash can repeat
a delivery but not lose one.
Fails: ``StorageFull``, ``StorageGone``. A damaged entry is moved to ``corrupt``, logged, and
stops no one else.
Locks: see ``claim``. The in-process tables are guarded by ``_guard``, held for no disk access.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mailnode.model.envelope import Envelope
from mailnode.model.errors import MailnodeError, StorageFull, StorageGone
from mailnode.model.queue_id import is_queue_id
from mailnode.queue import Debt, Spooled
from mailnode.queue.claim import Claim, crc_of
from mailnode.queue.entry import Damaged, Entry, State, format_entry, merge_debts, parse_entry
from mailnode.queue.schedule import wait_s
from mailnode.queue.workshop import Workshop, remove_entry
from mailnode.runtime import files
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.queue import QueueSettings

PLACES = ("active", "held", "corrupt")


class DiskSpool:
    """See the module. Blocking and thread-safe; made anew in each worker."""

    def __init__(
        self,
        *,
        folder: Path,
        settings: QueueSettings,
        clock: Clock,
        log: MailLog,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = str(folder)
        self._settings = settings
        self._clock = clock
        self._log = log
        self._guard = threading.Lock()
        self._workshop = Workshop(f"{self._folder}/incoming")
        self._claims: dict[str, Claim] = {}
        self._seen: dict[str, tuple[int, float]] = {}  # id -> entry size, next try
        self._watchers: list[Callable[[], None]] = []
        self._ready = False
        # Raises when this node may write no more; asked before each change and before it counts.
        self._fence = fence

    # -- taking in ------------------------------------------------------------------------------

    def accept(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        debts: Sequence[Debt],
    ) -> None:
        """Make the message and its debts durable under ``envelope.queue_id``."""
        if not debts:
            return
        self._fence()
        self._prepare()
        attempts = max((debt.attempts for debt in debts), default=0)
        next_try_at = self._clock.now() + (wait_s(attempts, self._settings) if attempts else 0.0)
        state = State(merge_debts(debts), next_try_at)
        with self._errors(self._folder):
            made = self._workshop.path(envelope.queue_id)
            try:
                self._make(made, envelope, chunks, state)
                # The promise is made by this rename; what fails from here on can only duplicate.
                files.rename(made, self._place("active", envelope.queue_id))
            except BaseException:
                self._scrap(made)
                raise
            files.fsync_dir(f"{self._folder}/active")
        self._fence()
        for heard in tuple(self._watchers):
            heard()

    def _make(
        self,
        path: str,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        state: State,
    ) -> None:
        files.mkdir(path)
        size = files.write_new(f"{path}/message", chunks)
        entry = format_entry(envelope, size, crc_of(chunks), state)
        files.write_new(f"{path}/entry", [entry])
        files.fsync_dir(path)

    @staticmethod
    def _scrap(path: str) -> None:
        try:
            remove_entry(path)
        except (OSError, MailnodeError):
            pass  # swept with the workshop; the first error is the one to tell

    # -- looking --------------------------------------------------------------------------------

    def due(self, now: float) -> list[str]:
        """Queue ids whose time has come, earliest first, held ones left out."""
        self._prepare()
        times: dict[str, tuple[int, float]] = {}
        with self._errors(self._folder):
            for queue_id in self.ids("active"):
                seen = self._look(queue_id)
                if seen is not None:
                    times[queue_id] = seen
        with self._guard:
            self._seen = times
        ready = [(at, queue_id) for queue_id, (_, at) in times.items() if at <= now]
        return [queue_id for _, queue_id in sorted(ready)]

    def _look(self, queue_id: str) -> tuple[int, float] | None:
        name = f"{self._place('active', queue_id)}/entry"
        try:
            size = os.stat(name).st_size
            known = self._seen.get(queue_id)
            # Entries only grow, so the same size is the same state.
            if known is not None and known[0] == size:
                return known
            with open(name, "rb") as opened:
                return size, parse_entry(opened.read()).state.next_try_at
        except FileNotFoundError:
            self._set_stump_aside(queue_id)
            return None
        except Damaged:
            return 0, 0.0  # due now, so that ``load`` sets it aside

    def _set_stump_aside(self, queue_id: str) -> None:
        """A folder comes and goes in one rename, so one without an entry is damage."""
        path = self._place("active", queue_id)
        try:
            files.rename(path, self._place("corrupt", queue_id))
        except FileNotFoundError:
            return  # its last copy was delivered just now
        self._log_damage(queue_id, "entry file missing")

    def next_due(self) -> float | None:
        """When the next entry is due, as of the last ``due``."""
        with self._guard:
            return min((at for _, at in self._seen.values()), default=None)

    def ids(self, place: str) -> list[str]:
        """Every entry in ``active``, ``held`` or ``corrupt``, oldest first."""
        path = f"{self._folder}/{place}"
        with self._errors(path):
            try:
                return sorted(filter(is_queue_id, os.listdir(path)))
            except FileNotFoundError:
                return []

    def peek(self, queue_id: str) -> tuple[str, Entry] | None:
        """Place and entry, without a claim; for people. Raises ``Damaged``."""
        if not is_queue_id(queue_id):
            return None
        for place in PLACES:
            name = f"{self._place(place, queue_id)}/entry"
            with self._errors(name):
                try:
                    with open(name, "rb") as opened:
                        return place, parse_entry(opened.read())
                except (FileNotFoundError, NotADirectoryError):
                    continue
        return None

    # -- working on an entry --------------------------------------------------------------------

    def load(self, queue_id: str) -> tuple[Spooled, BinaryIO] | None:
        """Claim the entry; ``None`` when it is gone, damaged or claimed by another."""
        claim = self.claim("active", queue_id)
        if claim is None:
            return None
        try:
            entry = claim.entry()
            if entry.envelope.queue_id != queue_id:
                raise Damaged("entry belongs to another id")
            message = claim.message(entry)
        except Damaged as error:
            self._set_aside(queue_id, claim, str(error))
            return None
        except BaseException:
            claim.release()
            raise
        state = entry.state
        return Spooled(entry.envelope, state.debts, state.next_try_at), message.as_binary()

    def claim(self, place: str, queue_id: str) -> Claim | None:
        """Claim an entry where it is; ``None`` when it is gone or claimed by another."""
        if not is_queue_id(queue_id):
            return None
        self._fence()
        self._prepare()
        claim = Claim.take(self._place(place, queue_id))
        if claim is not None:
            claim.on_release = lambda: self._forget(queue_id, claim)
            with self._guard:
                self._claims[queue_id] = claim
        return claim

    def record(self, queue_id: str, owed: Sequence[Debt], next_try_at: float) -> None:
        """Keep only ``owed``; with none left the entry is removed."""
        claim = self._claimed(queue_id)
        self._fence()
        if owed:
            claim.append(State(merge_debts(owed), next_try_at))
        else:
            self.remove(queue_id, claim)

    def hold(self, queue_id: str, reason: str) -> None:
        """Set the entry aside under ``held``, with the reason."""
        claim = self._claimed(queue_id)
        state = claim.entry().state
        claim.append(State(state.debts, state.next_try_at, reason or "held"))
        self.move(queue_id, claim, "held")

    def move(self, queue_id: str, claim: Claim, place: str) -> None:
        """Move a claimed entry to another place, durably."""
        target = self._place(place, queue_id)
        with self._errors(target):
            files.rename(claim.path, target)
            files.fsync_dir(os.path.dirname(target))
            files.fsync_dir(os.path.dirname(claim.path))
        claim.path = target

    def remove(self, queue_id: str, claim: Claim) -> None:
        """Unmake a claimed entry: nothing is owed any more."""
        with self._errors(self._folder):
            scrap = self._workshop.path(queue_id)
            files.rename(claim.path, scrap)
            files.fsync_dir(os.path.dirname(claim.path))
        self._scrap(scrap)

    def watch(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` after each ``accept`` in this process, in the accepting thread."""
        self._watchers.append(heard)

    def sweep(self) -> None:
        """Remove what dead processes left unfinished."""
        self._prepare()
        self._workshop.sweep()

    def close(self) -> None:
        """Leave no unfinished work behind."""
        self._workshop.close()

    # -- inside ---------------------------------------------------------------------------------

    def _claimed(self, queue_id: str) -> Claim:
        with self._guard:
            claim = self._claims.get(queue_id)
        if claim is None or claim.fd < 0:
            raise StorageGone(f"queue entry {queue_id} is not claimed")
        return claim

    def _forget(self, queue_id: str, claim: Claim) -> None:
        with self._guard:
            if self._claims.get(queue_id) is claim:
                del self._claims[queue_id]

    def _set_aside(self, queue_id: str, claim: Claim, reason: str) -> None:
        try:
            self.move(queue_id, claim, "corrupt")
        finally:
            claim.release()
        self._log_damage(queue_id, reason)

    def _log_damage(self, queue_id: str, reason: str) -> None:
        path = self._place("corrupt", queue_id)
        remedy = "the entry was set aside there; look at its message and entry by hand"
        self._log.event(Event.STORAGE, path=path, queue_id=queue_id, reason=reason, remedy=remedy)

    def _place(self, place: str, queue_id: str) -> str:
        return f"{self._folder}/{place}/{queue_id}"

    def _prepare(self) -> None:
        if self._ready:
            return
        with self._errors(self._folder):
            files.mkdir(self._folder, exist_ok=True)
            for place in (*PLACES, "incoming"):
                files.mkdir(f"{self._folder}/{place}", exist_ok=True)
            files.fsync_dir(self._folder)
        self._ready = True

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Our folders are always there while the storage is, so a missing one means it is gone."""
        try:
            with files.storage_errors(path):
                yield
        except (StorageFull, StorageGone):
            self._ready = False
            raise
        except OSError as error:
            self._ready = False
            raise StorageGone(f"{path}: {error.strerror or error}") from error
