"""The server as a whole: binds, drops privileges, supervises workers, reads settings anew.

What a worker is made of stands in ``worker``.

Promises: nothing listens before a worker has looked at mail root, spool and certificate; bad new
settings never replace good ones.
Fails: ``BadSettings`` from ``serve`` before anything was started; else its exit status says.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydantic

from mailnode.cluster.beat import Heart
from mailnode.cluster.coherence import excludes_here
from mailnode.cluster.lease import Lease, LeaseHeld, take_lease
from mailnode.cluster.mounts import Locks, mount_of
from mailnode.model.errors import BadSettings, MailnodeError, TemporaryError
from mailnode.runtime import cores
from mailnode.runtime.clock import Clock, SystemClock
from mailnode.runtime.endpoint import Endpoint
from mailnode.runtime.log import LineLog, open_log
from mailnode.runtime.loop import before_the_loop
from mailnode.runtime.maillog import Event
from mailnode.runtime.privileges import RunAs, run_as
from mailnode.runtime.seat import Seat
from mailnode.runtime.settings.listen import ListenSettings
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.sockets import Listeners, bind, raise_file_limit
from mailnode.runtime.supervisor import Generation, Supervisor
from mailnode.runtime.systemd import Notifier, take_sockets
from mailnode.runtime.tls import PemCertificates, open_certificates, renew_self_signed
from mailnode.store.guard import read_guard
from mailnode.worker import Equipment, work

# Used by workers only inside functions, yet better imported once, before the fork. All that a
# worker needs must be: code that changes on the disk while we run (an upgrade) would not fit ours,
# and a worker that takes the place of a dead one could not start.
_PRELOAD = (
    "aiosqlite",
    "aiomysql",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.dialects.mysql.aiomysql",
    "mailnode.access.pop3.service",
    "mailnode.access.pop3.protocol",
)


# Workers of a supervisor that was killed are gone so long after their time to drain.
_ORPHANS_S = 4.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What is told once every worker serves: the supervisor's pid, and for each service that is
    on the addresses really bound (port 0 and names resolved)."""

    pid: int
    services: Mapping[str, tuple[Endpoint, ...]]


def serve(
    settings: Settings,
    ready: Callable[[Ready], None] | None = None,
    *,
    reload: Callable[[], Settings] | None = None,
    clock: Clock | None = None,
) -> int:
    """Run the server in this process until SIGTERM or SIGINT; the exit status.

    ``ready`` is called once, in this process, when all workers serve; it must return soon and
    start no threads. ``reload`` gives the settings of SIGHUP (``None``: only certificates and log
    are read again); ``clock`` is the machine's unless a test gives another. Forks: call it without
    running threads or event loops.
    Raises ``BadSettings``.
    """
    clock = clock or SystemClock()
    notifier = Notifier()
    given = take_sockets(frozenset(ListenSettings.model_fields) - {"backlog", "unix_mode"})
    account = run_as(settings.server.user, settings.server.group)
    log = open_log(settings.log, node=settings.server.node, clock=clock)
    raise_file_limit()
    _make_folders(settings, account)
    listeners = bind(settings.listen, settings.server.worker_count, given=given)
    try:
        if account:
            account.own(map(Path, listeners.paths()))
            account.drop()
            account.check_reads((__file__, os.__file__, pydantic.__file__))
        elif os.geteuid() == 0:
            remedy = 'set server.user = "mailnode", or have systemd start it'
            log.event(Event.SETTINGS, reason="the server runs as root", remedy=remedy)
        try:
            lease = _take_lease(settings, clock)
        except TemporaryError as error:
            # Not wrong settings: who started us is to try again.
            remedy = "see mailnode cluster status on another node"
            log.event(
                Event.LEASE, of=settings.server.node, holding="not had", reason=error, remedy=remedy
            )
            log.flush()
            return 1
        house = House(settings, listeners, given, log, clock, ready, reload, lease)
        _preload()
        supervisor = Supervisor(
            house.generation(), house, notifier=notifier, log=log, beat=house.beat
        )
        status = supervisor.run()
        house.stopped()
        return status
    finally:
        listeners.close()
        notifier.close()


def _make_folders(settings: Settings, account: RunAs | None) -> None:
    """Our node-local folders, owned by the account. The mail root is never made here."""
    server = settings.server
    for key in ("state_dir", "run_dir", "spool_dir"):
        folder: Path = getattr(server, key)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            if account:
                account.own([folder])
        except OSError as error:
            raise BadSettings(
                f"[server] {key} = {folder}: {error.strerror}; make the folder, writable for "
                "the account that mailnode runs as"
            ) from None
    if account and settings.log.file:
        account.own([settings.log.file])


def _take_lease(settings: Settings, clock: Clock) -> Lease | None:
    """Become this node; ``None`` without a mail root, which the workers then say.

    Raises ``BadSettings`` when a node of this name is there already; ``TemporaryError`` when there
    may be one elsewhere or, on a shared mail root, nobody can tell.
    """
    root = settings.server.mail_dir
    try:
        read_guard(root)
    except MailnodeError:
        return None
    try:
        if settings.cluster.shared and not settings.cluster.allow_unsafe_storage:
            _try_locks(root)
        return take_lease(
            root,
            settings.server.node,
            spool=settings.spool_folder,
            hint_version=settings.cluster.speak_version if settings.cluster.listen else 0,
            clock=clock,
            wait_s=settings.server.drain_s + _ORPHANS_S,
        )
    except TemporaryError as error:
        if settings.cluster.shared or isinstance(error, LeaseHeld):
            raise
        # A full disk, say: alone on its mail root a node may still let its users read.
        return None


def _try_locks(root: Path) -> None:
    """Raise ``BadSettings`` where locks may not keep nodes apart. Forks."""
    mount = mount_of(root)
    try:
        fault = "" if excludes_here(root) else "a lock here does not keep another process out"
    except OSError as error:
        fault = f"locks do not work here: {error.strerror}"
    if mount.locks is Locks.UNSURE:
        options = ",".join(sorted(mount.options))
        fault = f"{mount.kind} ({options}) is not known to keep nodes apart by its locks"
    if fault:
        raise BadSettings(
            f"[cluster] shared = true, but {root}: {fault}; use OCFS2, GFS2, CephFS, GlusterFS or "
            "NFSv4 with locks (`mailnode doctor --storage` tells), or set allow_unsafe_storage"
        )


def _preload() -> None:
    """Import what every worker needs, so that they share its memory."""
    with before_the_loop():
        for name in _PRELOAD:
            importlib.import_module(name)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a generation of workers is made from."""

    settings: Settings
    listeners: Listeners
    certificates: PemCertificates
    log: LineLog


class House:
    """The supervisor's owner: holds what generations share, and reads settings anew."""

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners,
        given: Mapping[str, list[socket.socket]],
        log: LineLog,
        clock: Clock,
        ready: Callable[[Ready], None] | None,
        reload: Callable[[], Settings] | None,
        lease: Lease | None = None,
    ) -> None:
        self._lease = lease
        self._heart = Heart(settings.server.run_dir, "supervisor")
        self._given = given
        self._clock = clock
        self._ready = ready
        self._reload = reload
        self._next: _Plan | None = None
        self._plan = _Plan(settings, listeners, self._certificates(settings), log)
        self._warn(self._plan.certificates.warnings)

    def generation(self, plan: _Plan | None = None) -> Generation:
        """Workers of ``plan``, of the present one when not given."""
        plan = plan or self._plan
        server = plan.settings.server
        tools = Equipment(plan.settings, plan.certificates, plan.log, self._clock, self._lease)

        def start(seat: Seat) -> int:
            plan.listeners.close_other(seat.number, self._plan.listeners)
            if server.keep_to_cores:
                cores.settle(seat.number, server.worker_count)
            return work(tools, plan.listeners.of_seat(seat.number), seat)

        rest = plan.listeners.rest
        return Generation(server.worker_count, server.drain_s, server.stuck_s, start, rest)

    def became_ready(self) -> None:
        """Tell the log and whoever started us."""
        addresses = self._plan.listeners.addresses()
        told = [f"{name}={spot}" for name, spots in addresses.items() for spot in spots]
        self._plan.log.event(Event.STARTED, services=told)
        if self._lease:
            self._tell_nodes(self._lease)
        if self._ready:
            self._ready(Ready(os.getpid(), addresses))

    def _tell_nodes(self, lease: Lease) -> None:
        try:
            lease.tell(self._addresses())
        except MailnodeError as error:
            self._plan.log.event(Event.STORAGE, reason=str(error), what="node record")

    def _addresses(self) -> tuple[str, ...]:
        bound = self._plan.listeners.addresses()
        return tuple(f"{name} {spot}" for name, spots in bound.items() for spot in spots)

    def beat(self, facts: Mapping[str, object]) -> None:
        """Say how the supervisor is, for monitors of this machine."""
        record = self._lease.record if self._lease else None
        self._heart.beat(
            node=self._plan.settings.server.node,
            token=record.token if record else "",
            services=self._addresses(),
            **facts,
        )

    def reload(self) -> Generation | None:
        """SIGHUP: a new generation when the settings changed, else only certificates and log."""
        self._plan.log.reopen()
        try:
            settings = self._reload() if self._reload else self._plan.settings
            if settings == self._plan.settings:
                renew_self_signed(settings.tls, **self._place(settings))
                self._plan.certificates.reload()
                self._warn(self._plan.certificates.warnings)
                self._plan.log.event(Event.RELOADED, settings="unchanged")
                return None
            self._next = self._plan_for(settings)
        except (BadSettings, OSError) as error:
            self._warn(str(error).splitlines())
            return None
        return self.generation(self._next)

    def swapped(self) -> None:
        """The new generation serves: let go of what only the old one had."""
        assert self._next is not None
        old, self._plan, self._next = self._plan, self._next, None
        old.listeners.retire(self._plan.listeners)
        self._plan.log.event(Event.RELOADED, settings="changed")

    def refused(self) -> None:
        """The new generation does not serve: let go of what only that one had."""
        assert self._next is not None
        failed, self._next = self._next, None
        failed.listeners.abandon(self._plan.listeners)
        self._warn(["the new settings do not work, see the lines before; the old ones go on"])

    def stopping(self) -> None:
        """Nobody may connect any more."""
        self._plan.listeners.close()

    def stopped(self) -> None:
        """Every worker is gone."""
        if self._lease:
            self._lease.release(self._clock.now())
        self._heart.stop()
        self._plan.log.event(Event.STOPPED, pid=os.getpid())

    def _plan_for(self, settings: Settings) -> _Plan:
        """Everything a changed file needs. Raises ``BadSettings``, with nothing changed."""
        old = self._plan
        same = ("user", "group", "node", "mail_dir", "state_dir", "run_dir")
        if any(getattr(settings.server, k) != getattr(old.settings.server, k) for k in same):
            self._warn([f"[server] {', '.join(same)}: a change takes effect at the next restart"])
            kept = {key: getattr(old.settings.server, key) for key in same}
            server = settings.server.model_copy(update=kept)
            settings = settings.model_copy(update={"server": server})
        if settings.cluster.shared != old.settings.cluster.shared:
            self._warn(["[cluster] shared: a change takes effect at the next restart"])
            cluster = settings.cluster.model_copy(update={"shared": not settings.cluster.shared})
            settings = settings.model_copy(update={"cluster": cluster})
        log = old.log
        if settings.log != old.settings.log:
            log = open_log(settings.log, node=settings.server.node, clock=self._clock)
        certificates = self._certificates(settings)
        self._warn(certificates.warnings)
        workers = settings.server.worker_count
        listeners = bind(settings.listen, workers, given=self._given, kept=old.listeners)
        return replace(
            old, settings=settings, listeners=listeners, certificates=certificates, log=log
        )

    def _certificates(self, settings: Settings) -> PemCertificates:
        return open_certificates(settings.tls, **self._place(settings))

    def _place(self, settings: Settings) -> dict[str, Any]:
        server = settings.server
        return {"hostname": server.hostname, "state": server.state_dir, "clock": self._clock}

    def _warn(self, reasons: Sequence[str]) -> None:
        for reason in reasons:
            self._plan.log.event(Event.SETTINGS, reason=reason)
