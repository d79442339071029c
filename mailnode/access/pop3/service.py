"""The POP3 service of a worker; see ``access.service``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnode.access.admission import Census
from mailnode.access.pop3.connection import Connection
from mailnode.access.pop3.session import Means
from mailnode.access.service import AccessService
from mailnode.cluster import Hints
from mailnode.directory import Gate
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.settings.pop3 import Pop3Settings
from mailnode.runtime.tally import Tally
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import Certificates
from mailnode.store import Store
from mailnode.wire.pop3.uidl import UidlFormat

if TYPE_CHECKING:
    from mailnode.access.door import DoorProtocol


class Pop3Service(AccessService[Connection]):
    """Implements ``runtime.service.Service``. ``hints`` are taken as by every access service and
    not used: a POP3 session sees its maildrop as it was at login."""

    def __init__(
        self,
        *,
        settings: Pop3Settings,
        gate: Gate,
        store: Store,
        pool: Pool,
        hints: Hints,
        certificates: Certificates,
        clock: Clock,
        log: MailLog,
        proxies: TrustedProxies | None = None,
        tally: Tally | None = None,
    ) -> None:
        census = Census(settings.max_sessions_per_user_ip, "pop3", tally)
        uidl = UidlFormat(settings.uidl_format)
        self._means = Means(settings, gate, store, pool, clock, log, uidl, census)
        super().__init__(
            bounds=settings, certificates=certificates, clock=clock, log=log, proxies=proxies,
            name="pop3", tally=tally,
        )  # fmt: skip

    def _protocol(self) -> type[DoorProtocol]:
        # Imported only here: twisted.mail.pop3 takes the process's reactor when it is imported.
        from mailnode.access.pop3.protocol import Pop3Protocol

        return Pop3Protocol

    def _connect(self, wire: DoorProtocol, host: str, implicit_tls: bool) -> Connection:
        return Connection(self._means, wire, host, implicit_tls, self._strike_off)
