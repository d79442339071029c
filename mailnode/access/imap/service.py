"""The IMAP service of a worker; see ``access.service``."""

from __future__ import annotations

import asyncio
import traceback

from mailnode.access.admission import Census
from mailnode.access.door import DoorProtocol
from mailnode.access.imap.connection import Connection
from mailnode.access.imap.filling import Filler
from mailnode.access.imap.means import Means
from mailnode.access.imap.owners import Owners, nobody_else
from mailnode.access.imap.protocol import ImapProtocol
from mailnode.access.imap.spaces import spaces
from mailnode.access.service import AccessService
from mailnode.cluster import Hints
from mailnode.directory import Gate
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tally import Tally
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import Certificates
from mailnode.store import Store
from mailnode.store.shared import Find
from mailnode.store.sharing import SharingStore


class ImapService(AccessService[Connection]):
    """Implements ``runtime.service.Service``."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        gate: Gate,
        store: Store,
        pool: Pool,
        hints: Hints,
        certificates: Certificates,
        clock: Clock,
        log: MailLog,
        proxies: TrustedProxies | None = None,
        owners: Owners = nobody_else,
        find_owner: Find = lambda ref: ref,
        tally: Tally | None = None,
    ) -> None:
        census = Census(settings.max_sessions_per_user_ip, "imap", tally)
        store = SharingStore(store, spaces(settings), find_owner)
        self._means = Means(
            settings, gate, store, pool, hints, clock, log, census=census, owners=owners
        )
        self._filler = Filler(self._means)
        self._filling: asyncio.Task[None] | None = None
        super().__init__(
            bounds=settings, certificates=certificates, clock=clock, log=log, proxies=proxies,
            name="imap", tally=tally,
        )  # fmt: skip

    def _protocol(self) -> type[DoorProtocol]:
        return ImapProtocol

    def _connect(self, wire: DoorProtocol, host: str, implicit_tls: bool) -> Connection:
        return Connection(self._means, wire, host, implicit_tls, self._strike_off)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let commands end, say BYE, return within the time."""
        await super().drain(timeout_s)
        if self._filling is not None:
            await self._filling

    async def fill(self) -> None:
        """Use a quiet moment for the view of a client that idles."""
        try:
            await self._filler.turn([link.session for link in self._links])
        except Exception:  # noqa: BLE001 - the barrier: nobody waits for this, the log has it
            cause = traceback.format_exc()
            self._means.log.event(Event.ERROR, what="imap filling the view", cause=cause)

    def _sweep(self) -> None:
        super()._sweep()
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self.fill())
