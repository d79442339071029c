"""All mail below one root: where the parts of the store are put together.

Promises: thread-safe; any number of processes and nodes may have a store on one root. Descriptors
and memory are bounded by the folders in use plus ``settings.open_folders``.
Fails: ``StorageGone`` from every verb while the root is not there, not ours or not writable.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from mailnode.model.errors import MailnodeError
from mailnode.model.status import Outcome
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.runtime.storage_alarm import StorageAlarm
from mailnode.store import AccountRef, Delivery
from mailnode.store.accept import Acceptance, outcome_of
from mailnode.store.account import MaildirAccount
from mailnode.store.acl import Person
from mailnode.store.core import CoreContext
from mailnode.store.faults import plain_errors
from mailnode.store.guard import Guard
from mailnode.store.home import Home, Services
from mailnode.store.shares import Shares
from mailnode.store.shelf import Shelf
from mailnode.store.syncing import GroupSync, LazySync
from mailnode.store.use_mirror import UseMirror
from mailnode.store.view import View

# Accounts kept at hand; one costs a few hundred bytes and no descriptor.
_HOMES = 4096


class MaildirStore:
    """See ``store.Store``. ``state`` is a node-local folder for what can be rebuilt."""

    def __init__(
        self,
        *,
        root: Path,
        state: Path,
        node: str,
        settings: StorageSettings,
        clock: Clock,
        log: MailLog,
        on_change: Callable[[str, int], None],
        on_use: Callable[[str, int, int], None],
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self._guard = Guard(root, state, clock, log)
        self._services = Services(
            root=os.fsencode(root.absolute()),
            core=CoreContext(settings, node, clock, log, on_change, fence),
            shelf=Shelf(settings.open_folders),
            group=GroupSync(),
            lazy=LazySync(settings.flag_sync_s, log),
            view=View(state, log=log),
            guard=self.guard,
            mirror=UseMirror(on_use, log),
            shares=Shares(os.fsencode(root.absolute())),
        )
        self._lock = threading.Lock()  # around _homes; a leaf
        self._homes: OrderedDict[str, Home] = OrderedDict()
        alarm = StorageAlarm(str(root), clock, log)
        self._acceptance = Acceptance(self.home, self._services.group, log, alarm)

    def guard(self) -> None:
        """See ``store.Store``."""
        self._guard.check()

    def account(self, ref: AccountRef) -> MaildirAccount:
        """See ``store.Store``. Raises ``BadFolderName`` for a maildir that leads out."""
        self.guard()
        with plain_errors(self.guard):
            home = self.home(ref.maildir)
            home.ensure()
        return MaildirAccount(ref, home)

    def find(self, ref: AccountRef) -> MaildirAccount | None:
        """See ``store.Store``. Raises ``BadFolderName`` for a maildir that leads out."""
        home = self.home(ref.maildir)
        return MaildirAccount(ref, home) if os.path.isdir(home.path + b"/cur") else None

    def sharers(self, person: Person, everywhere: bool, only: str = "") -> dict[str, str]:
        """See ``store.Store``."""
        with plain_errors(self.guard):
            return self._services.shares.sharers(person, everywhere, only)

    def accept(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """See ``store.Store``."""
        fence = self._services.core.fence
        try:
            self.guard()
            fence()
            outcomes = self._acceptance.accept(batch)
            fence()
        except MailnodeError as error:
            return [outcome_of(error)] * len(batch)
        return outcomes

    def close(self) -> None:
        """Sync what waits and let all descriptors go."""
        self._services.lazy.close()
        self._services.mirror.close()
        self._services.shelf.close()
        self._services.view.close()

    def home(self, maildir: str) -> Home:
        """The account's folders on disk, for checker and export. Raises ``BadFolderName``."""
        maildir = maildir.strip("/")
        with self._lock:
            home = self._homes.get(maildir)
            if home is not None:
                self._homes.move_to_end(maildir)
                return home
        fresh = Home(maildir, self._services)  # looks at the disk, so without the lock
        with self._lock:
            home = self._homes.setdefault(maildir, fresh)
            while len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
            return home
