"""One worker process: every room built by name, on one exit stack; ready last, drained first.

Promises: nothing listens before the mail root and the spool were looked at. On the first start a
missing mail root ends the server; in a worker that replaces another it does not, for clients are
to hear "later" rather than nothing. A database that does not answer never stops a worker.
Fails: the exit status of ``work``; the reason is in the log.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mailnode.access.imap.owners import owners_of
from mailnode.access.imap.service import ImapService
from mailnode.access.imap.spaces import SharingOwners
from mailnode.access.imap.submitted import SubmittedUrls
from mailnode.cluster.beyond import Beyond
from mailnode.cluster.lease import Lease
from mailnode.cluster.membership import Membership
from mailnode.cluster.notify import LocalHints
from mailnode.cluster.secret import read_secret
from mailnode.delivery.local import LocalCourier
from mailnode.directory.build import open_directory
from mailnode.directory.gate import LoginGate
from mailnode.directory.tokens.build import open_issuer, open_web
from mailnode.intake.service import Role, SmtpService
from mailnode.model.errors import BadSettings, MailnodeError
from mailnode.queue.runner import Runner
from mailnode.queue.spool import DiskSpool
from mailnode.routing.route import DirectoryRouter
from mailnode.runtime.clock import Clock
from mailnode.runtime.latest import Latest
from mailnode.runtime.log import LineLog, route_library_logs
from mailnode.runtime.loop import open_loop, rest_collector
from mailnode.runtime.maillog import Event
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.seat import UNFIT, Seat
from mailnode.runtime.service import Service
from mailnode.runtime.settings.listen import IMPLICIT_TLS
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.tally import Tally
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import PemCertificates
from mailnode.store.maildir_store import MaildirStore

# Changed figures of use wait so long for newer ones before the directory hears of them.
_USE_PAUSE_S = 0.2
# For what comes after the last session: queue entries in hand, last writes.
_CLOSE_S = 1.5
_RUNNER_REST_S = 5.0


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a worker is given by its supervisor."""

    settings: Settings
    certificates: PemCertificates
    log: LineLog
    clock: Clock
    lease: Lease | None = None
    tally: Tally | None = None  # what this worker counts together with the node's others

    def fence(self) -> None:
        """Raise ``LeaseLost`` when this node may write no more."""
        if self.lease is not None:
            self.lease.check()


@dataclass(slots=True)
class Rooms:
    """What the services of a worker are built from."""

    directory: Any
    gate: LoginGate
    store: MaildirStore
    spool: DiskSpool
    courier: LocalCourier
    hints: LocalHints
    pool: Pool
    beyond: Beyond | None


def work(tools: Equipment, sockets: Mapping[str, list[socket.socket]], seat: Seat) -> int:
    """Be the worker of ``seat`` in this freshly forked process; the exit status."""
    route_library_logs(tools.log)
    try:
        with asyncio.Runner(loop_factory=open_loop) as runner:
            return runner.run(run_worker(tools, sockets, seat))
    except Exception as error:  # noqa: BLE001  the worker's last barrier: say it, be replaced
        tools.log.event(Event.ERROR, what="a worker failed", cause=error)
        return 1


async def run_worker(
    tools: Equipment, sockets: Mapping[str, list[socket.socket]], seat: Seat
) -> int:
    """Serve on ``sockets`` (bound, by service) until SIGTERM or the supervisor's death."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _read_again, tools)
    beat_s = min(1.0, tools.settings.server.stuck_s / 4)
    seat.line.watch(beat_s, orphaned=stop.set, each=tools.log.flush)
    tools.log.gather(loop)
    try:
        async with AsyncExitStack() as stack:
            stack.callback(seat.line.close)
            tools = replace(tools, tally=seat.tally)
            rooms = await open_rooms(tools, stack)
            loop.add_signal_handler(signal.SIGHUP, _read_again, tools, rooms.directory)
            if await _fit(rooms, tools, seat):
                await _serve_until(stop, rooms, tools, sockets, seat)
                return 0
            return UNFIT
    except BadSettings as error:
        for reason in str(error).splitlines():
            tools.log.event(Event.SETTINGS, reason=reason)
        return UNFIT
    except MailnodeError as error:
        tools.log.event(Event.ERROR, what="a worker could not start", cause=error)
        return 1
    finally:
        tools.log.settle()


def _read_again(tools: Equipment, directory: Any = None) -> None:
    """SIGHUP with settings unchanged: certificates and log file, in place; users asked anew."""
    tools.log.reopen()
    if directory is not None:
        directory.forget()
    try:
        tools.certificates.reload()
    except BadSettings as error:
        tools.log.event(Event.SETTINGS, reason=str(error), remedy="the old certificate is kept")


async def open_rooms(tools: Equipment, stack: AsyncExitStack) -> Rooms:
    """Everything below the services; ``stack`` closes it in reverse order."""
    settings, clock, log = tools.settings, tools.clock, tools.log
    server = settings.server
    pool = Pool(server.threads, "disk")
    stack.callback(pool.close)
    hints = LocalHints(folder=server.run_dir / "hints", clock=clock, poll_s=settings.poll_s)
    stack.callback(hints.close)
    beyond = _reach(hints, tools, stack)
    directory = await open_directory(settings=settings.directory, pool=pool, clock=clock, log=log)
    stack.push_async_callback(directory.close)
    use: Latest[str, tuple[int, int]] = Latest(
        lambda user, figures: directory.record_use(user, *figures),
        pause_s=_USE_PAUSE_S,
        failed=lambda error: log.event(Event.DATABASE, reason=str(error), what="quota2"),
    )
    stack.push_async_callback(use.close)
    store = MaildirStore(
        root=server.mail_dir,
        state=server.state_dir / "view",
        node=server.node,
        settings=settings.storage,
        clock=clock,
        log=log,
        on_change=hints.publish,
        on_use=lambda user, size_bytes, messages: use.put(user, (size_bytes, messages)),
        fence=tools.fence,
    )
    stack.callback(store.close)
    gate = _gate(directory, tools, stack)
    spool = _spool(settings.spool_folder, tools)
    courier = LocalCourier(settings.routing.delimiter, store=store, pool=pool, log=log, clock=clock)
    return Rooms(directory, gate, store, spool, courier, hints, pool, beyond)


def _gate(directory: Any, tools: Equipment, stack: AsyncExitStack) -> LoginGate:
    """Raises ``BadSettings``."""
    settings, clock, log = tools.settings, tools.clock, tools.log
    web = open_web(settings.oauth)
    stack.callback(web.close)
    issuer = open_issuer(settings.oauth, web, clock=clock, log=log)
    return LoginGate(
        directory=directory, settings=settings.login, clock=clock, log=log, issuer=issuer,
        board=tools.tally.board if tools.tally else None,
    )  # fmt: skip


def _reach(hints: LocalHints, tools: Equipment, stack: AsyncExitStack) -> Beyond | None:
    """Hints to and from other nodes, where there are any. Raises ``BadSettings``."""
    settings = tools.settings
    if not settings.cluster.listen:
        return None
    secret = read_secret(settings.cluster.secret_file)
    beyond = hints.reach(
        lambda heard: Beyond(
            settings=settings.cluster,
            node=settings.server.node,
            secret=secret,
            folder=settings.server.run_dir / "hints",
            clock=tools.clock,
            log=tools.log,
            heard=heard,
        )
    )
    stack.push_async_callback(beyond.close)
    return beyond


def _spool(folder: Path, tools: Equipment) -> DiskSpool:
    return DiskSpool(
        folder=folder,
        settings=tools.settings.queue,
        clock=tools.clock,
        log=tools.log,
        fence=tools.fence,
    )


async def _fit(rooms: Rooms, tools: Equipment, seat: Seat) -> bool:
    """Look at mail root and spool; whether this worker may serve."""
    try:
        await rooms.pool.run(rooms.store.guard)
        await rooms.pool.run(rooms.spool.due, tools.clock.now())
    except MailnodeError as error:
        path = tools.settings.server.mail_dir
        remedy = "mount it, or make it with `mailnode quickstart`; see `mailnode doctor`"
        tools.log.event(Event.STORAGE, path=path, reason=str(error), remedy=remedy)
        return not seat.first
    return True


async def _serve_until(
    stop: asyncio.Event,
    rooms: Rooms,
    tools: Equipment,
    sockets: Mapping[str, list[socket.socket]],
    seat: Seat,
) -> None:
    settings = tools.settings
    services = _services(sorted(sockets), rooms, tools)
    runner = _runner(rooms.spool, rooms, tools)
    tasks = [asyncio.create_task(_keep_running(runner, tools.log))]
    tasks += _node_tasks(list(dict.fromkeys(services.values())), rooms, tools)
    for name, group in sockets.items():
        for sock in group:
            await _listen(services[name], sock, name, settings.listen.backlog)
    rest_collector()
    seat.line.ready()
    tools.log.event(Event.STARTED, pid=os.getpid(), seat=seat.number, services=sorted(sockets))
    await stop.wait()
    await _drain(list(dict.fromkeys(services.values())), runner, tools, seat)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tools.log.event(Event.STOPPED, pid=os.getpid(), seat=seat.number)


def _runner(spool: DiskSpool, rooms: Rooms, tools: Equipment) -> Runner:
    return Runner(
        spool=spool,
        courier=rooms.courier,
        pool=rooms.pool,
        settings=tools.settings.queue,
        clock=tools.clock,
        log=tools.log,
        hostname=tools.settings.server.hostname,
    )


def _node_tasks(
    services: list[Service], rooms: Rooms, tools: Equipment
) -> list[asyncio.Task[None]]:
    """What a worker does as part of its node, and for the other nodes."""
    if tools.lease is None:
        return []

    def make(folder: Path) -> tuple[DiskSpool, Runner]:
        spool = _spool(folder, tools)
        return spool, _runner(spool, rooms, tools)

    membership = Membership(
        settings=tools.settings,
        lease=tools.lease,
        services=services,
        make=make,
        pool=rooms.pool,
        clock=tools.clock,
        log=tools.log,
        directory=rooms.directory.health,
        beyond=rooms.beyond,
    )
    return membership.start()


async def _listen(service: Service, sock: socket.socket, name: str, backlog: int) -> None:
    sock.listen(backlog)
    await service.serve(sock, implicit_tls=name in IMPLICIT_TLS)
    # asyncio listens once more, with a backlog of its own.
    if sock.fileno() >= 0:
        sock.listen(backlog)


async def _keep_running(runner: Runner, log: LineLog) -> None:
    """The runner for as long as the worker lives, whatever falls out of it."""
    while True:
        try:
            return await runner.run()
        except Exception as error:  # noqa: BLE001  barrier: what is owed must go on being tried
            log.event(Event.ERROR, what="the queue runner stopped, it starts again", cause=error)
            await asyncio.sleep(_RUNNER_REST_S)


async def _drain(services: list[Service], runner: Runner, tools: Equipment, seat: Seat) -> None:
    """Stop accepting at once, then let sessions and queue entries end, all within ``drain_s``."""
    drain_s = tools.settings.server.drain_s
    parts = [asyncio.create_task(service.drain(drain_s)) for service in services]
    parts.append(asyncio.create_task(runner.stop()))
    # One turn of the loop: each service has begun and closed its sockets.
    await asyncio.sleep(0)
    seat.line.draining()
    _, late = await asyncio.wait(parts, timeout=drain_s + _CLOSE_S / 2)
    for part in late:
        part.cancel()
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, Exception):
            tools.log.event(Event.ERROR, what="draining", cause=outcome)


def _services(names: list[str], rooms: Rooms, tools: Equipment) -> dict[str, Service]:
    """One service for each name; names that differ in TLS only share one."""
    makers: dict[str, Callable[[], Service]] = {
        "smtp": lambda: _smtp(Role.MX, rooms, tools),
        "submission": lambda: _smtp(Role.SUBMISSION, rooms, tools),
        "lmtp": lambda: _smtp(Role.LMTP, rooms, tools),
        "imap": lambda: ImapService(
            settings=tools.settings.imap,
            owners=owners_of(rooms.directory),
            find_owner=SharingOwners(rooms.directory).find,
            **_access(rooms, tools),
        ),
        "pop3": lambda: _pop3(rooms, tools),
    }
    twins = {"submissions": "submission", "imaps": "imap", "pop3s": "pop3"}
    made: dict[str, Service] = {}
    for name in names:
        kind = twins.get(name, name)
        made[kind] = made.get(kind) or makers[kind]()
    return {name: made[twins.get(name, name)] for name in names}


def _smtp(role: Role, rooms: Rooms, tools: Equipment) -> Service:
    settings = tools.settings
    return SmtpService(
        role=role,
        hostname=settings.server.hostname,
        settings=settings.smtp,
        router=DirectoryRouter(
            directory=rooms.directory,
            settings=settings.routing,
            hostname=settings.server.hostname,
        ),
        gate=rooms.gate,
        courier=rooms.courier,
        spool=rooms.spool,
        pool=rooms.pool,
        certificates=tools.certificates,
        clock=tools.clock,
        log=tools.log,
        proxies=TrustedProxies(settings.cluster.trusted_proxies),
        tally=tools.tally,
        urls=SubmittedUrls(rooms.store, owners_of(rooms.directory), rooms.pool, tools.clock),
    )


def _pop3(rooms: Rooms, tools: Equipment) -> Service:
    # Imported only here: twisted.mail.pop3 takes the process's reactor the moment it is imported,
    # and before the fork there must be none.
    module = importlib.import_module("mailnode.access.pop3.service")
    service: Service = module.Pop3Service(settings=tools.settings.pop3, **_access(rooms, tools))
    return service


def _access(rooms: Rooms, tools: Equipment) -> dict[str, Any]:
    return {
        "gate": rooms.gate,
        "store": rooms.store,
        "pool": rooms.pool,
        "hints": rooms.hints,
        "certificates": tools.certificates,
        "clock": tools.clock,
        "log": tools.log,
        "proxies": TrustedProxies(tools.settings.cluster.trusted_proxies),
        "tally": tools.tally,
    }
