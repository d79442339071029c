"""Listening sockets: bound once, in the supervisor, before privileges are dropped.

Promises: each worker seat has its own SO_REUSEPORT socket per TCP address, kept open by the
supervisor, so that a dead worker's successor takes over its queue of waiting connections; unix
sockets and those given by systemd are shared by all seats. Nothing listens before a worker does.
An address that another program listens on is refused, SO_REUSEPORT or not.
Fails: ``BadSettings`` naming service, address and remedy.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from mailnode.model.errors import BadSettings
from mailnode.runtime.endpoint import Endpoint
from mailnode.runtime.settings.listen import ListenSettings

# The workers of a supervisor that was killed let go of their ports within this time.
BUSY_WAIT_S = 3.0
_BUSY_STEP_S = 0.05
# A client that vanished is noticed after 5 + 3 minutes, however idle its session may be.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 300), (socket.TCP_KEEPINTVL, 60), (socket.TCP_KEEPCNT, 3))

_REMEDY = {
    errno.EADDRINUSE: "another program listens there; stop it or change listen.{}",
    errno.EACCES: "not allowed; start anew as root with server.user set, or by systemd, "
    "or set listen.{} to a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address; see `ip address`, change listen.{}",
    errno.EAFNOSUPPORT: "this machine has no IPv6; take the address out of listen.{}",
    errno.ENOENT: "the folder is missing; make it, or change listen.{}",
}
# A wildcard or a name may lack one family; a plain address may not.
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


@dataclass(slots=True)
class Bound:
    """One address really bound: a socket for each seat, or fewer that the seats share."""

    service: str
    endpoint: Endpoint
    family: int
    sockets: list[socket.socket]
    given: bool = False

    def of_seat(self, seat: int, seats: int) -> list[socket.socket]:
        """What worker ``seat`` of ``seats`` accepts on: its own socket, one that it shares, or
        also those of seats that are no more, for to close one would reset who waits on it."""
        if len(self.sockets) <= seats:
            return [self.sockets[seat % len(self.sockets)]]
        return self.sockets[seat::seats]

    def widen(self, seats: int) -> list[socket.socket]:
        """Have a socket for each of ``seats``; the new ones. Where the kernel refuses more, seats
        share: after privileges were dropped, say (SO_REUSEPORT is among sockets of one owner, and
        a port below 1024 is root's)."""
        added: list[socket.socket] = []
        if self.given or self.endpoint.path:
            return added
        try:
            while len(self.sockets) + len(added) < seats:
                added.append(_tcp(self.family, (self.endpoint.host, self.endpoint.port)))
        except OSError:
            pass
        self.sockets += added
        return added

    def rest(self, seat: int, seats: int) -> None:
        """Stop those TCP sockets listening that no other seat accepts on. Each stays open and bound
        (``shutdown`` is enough for that on Linux), so its next worker needs no privilege to listen
        on it again, which a new socket for a port below 1024 would."""
        if self.given or self.endpoint.path:
            return
        others = {id(sock) for n in range(seats) if n != seat for sock in self.of_seat(n, seats)}
        for sock in self.of_seat(seat, seats):
            if id(sock) not in others:
                try:
                    sock.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # it does not listen

    def close(self) -> None:
        """Close every socket; a unix socket's path goes with it."""
        for sock in self.sockets:
            sock.close()
        if self.endpoint.path and not self.given:
            _unlink(self.endpoint.path)


@dataclass(slots=True)
class Listeners:
    """All addresses of ``seats`` workers, by service and configured endpoint."""

    seats: int = 1
    bound: dict[tuple[str, Endpoint], list[Bound]] = field(default_factory=dict)
    added: list[socket.socket] = field(default_factory=list)

    def of_seat(self, seat: int) -> dict[str, list[socket.socket]]:
        """Sockets of worker ``seat``, by service."""
        found: dict[str, list[socket.socket]] = {}
        for one in self._each():
            found.setdefault(one.service, []).extend(one.of_seat(seat, self.seats))
        return found

    def addresses(self) -> dict[str, tuple[Endpoint, ...]]:
        """What is really bound, by service: port 0 and names are resolved."""
        found: dict[str, tuple[Endpoint, ...]] = {}
        for one in self._each():
            found[one.service] = (*found.get(one.service, ()), one.endpoint)
        return found

    def paths(self) -> list[str]:
        """Unix sockets that we made."""
        return [one.endpoint.path for one in self._each() if one.endpoint.path and not one.given]

    def rest(self, seat: int) -> None:
        """Have no connection wait for ``seat`` until its next worker listens: the kernel gives them
        to the other seats' sockets, or refuses them where there is no other."""
        for one in self._each():
            one.rest(seat, self.seats)

    def close_other(self, seat: int, *also: Listeners) -> None:
        """In worker ``seat`` after the fork: close what belongs to other seats, and what only
        ``also`` (another generation's) has; held open here it would go on listening."""
        mine = {id(sock) for group in self.of_seat(seat).values() for sock in group}
        for listeners in (self, *also):
            for one in listeners._each():
                for sock in one.sockets:
                    if id(sock) not in mine:
                        sock.close()

    def retire(self, newer: Listeners) -> None:
        """Close what ``newer`` does not use."""
        for key, group in self.bound.items():
            for one in group:
                if newer.bound.get(key) is not group:
                    one.close()

    def abandon(self, older: Listeners) -> None:
        """These never came to serve: close all that ``older`` did not have, or it would listen
        with nobody to accept."""
        for one in older._each():
            one.sockets = [sock for sock in one.sockets if sock not in self.added]
        for sock in self.added:
            sock.close()
        self.retire(older)

    def close(self) -> None:
        """Close everything."""
        for one in self._each():
            one.close()

    def _each(self) -> Iterator[Bound]:
        for group in self.bound.values():
            yield from group


def bind(
    settings: ListenSettings,
    seats: int,
    *,
    given: Mapping[str, list[socket.socket]] | None = None,
    kept: Listeners | None = None,
) -> Listeners:
    """Bind each configured address for ``seats`` workers.

    Services that systemd has ``given`` sockets for use those instead; addresses already bound in
    ``kept`` go on. Raises ``BadSettings``, with what was newly bound closed again.
    """
    old = kept.bound if kept else {}
    fresh, listeners = Listeners(seats), Listeners(seats)
    try:
        for key in _wanted(settings, given or {}):
            if key not in old:
                fresh.bound[key] = _bind_group(*key, settings, (given or {}).get(key[0]))
            listeners.bound[key] = old.get(key) or fresh.bound[key]
    except BadSettings:
        fresh.close()
        raise
    for group in listeners.bound.values():
        for one in group:
            listeners.added += one.widen(seats)
    return listeners


def _wanted(
    settings: ListenSettings, given: Mapping[str, object]
) -> Iterator[tuple[str, Endpoint]]:
    for service in given:
        yield service, Endpoint()
    for service, endpoints in settings.by_service().items():
        if service not in given:
            for endpoint in dict.fromkeys(endpoints):
                yield service, endpoint


def _bind_group(
    service: str, endpoint: Endpoint, settings: ListenSettings, given: list[socket.socket] | None
) -> list[Bound]:
    if given is not None:
        return [Bound(service, _name(sock), sock.family, [sock], given=True) for sock in given]
    try:
        if endpoint.path:
            sock = _unix(endpoint.path, int(settings.unix_mode, 8))
            return [Bound(service, endpoint, socket.AF_UNIX, [sock])]
        return _bind_tcp(service, endpoint)
    except OSError as error:
        remedy = _REMEDY.get(error.errno or 0, f"{error.strerror}; change listen.{{}}")
        raise BadSettings(
            f"[listen] {service}: cannot bind {endpoint}: {remedy.format(service)}"
        ) from None


def _bind_tcp(service: str, endpoint: Endpoint) -> list[Bound]:
    """One ``Bound`` for each family; with port 0 all get the port that the first one got."""
    targets, port = _resolve(endpoint), endpoint.port
    done: list[Bound] = []
    for number, (family, host) in enumerate(targets):
        try:
            _refuse_busy(partial(_probe_tcp, family, (host, port)))
            sock = _tcp(family, (host, port)) if port else _tcp_anywhere(family, host)
        except OSError as error:
            last_chance = number + 1 == len(targets) and not done
            if error.errno in _NO_SUCH_FAMILY and len(targets) > 1 and not last_chance:
                continue
            for one in done:
                one.close()
            raise
        port = sock.getsockname()[1]
        done.append(Bound(service, Endpoint(host, port), family, [sock]))
    return done


def _resolve(endpoint: Endpoint) -> list[tuple[int, str]]:
    """Family and address of each place the endpoint means. Raises ``OSError``."""
    if endpoint.host == "*":
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, str(error)) from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _tcp(family: int, address: tuple[str, int], shared: bool = True) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has its own socket; else one of the two could not be bound.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Accepted connections inherit these.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _tcp_anywhere(family: int, host: str) -> socket.socket:
    """On a port that the system chooses, but as one that was asked for: the system takes its own
    choice back when a socket stops listening."""
    with _tcp(family, (host, 0)) as choice:
        return _tcp(family, (host, choice.getsockname()[1]))


def _refuse_busy(probe: Callable[[], None]) -> None:
    """Run ``probe`` until it no longer says EADDRINUSE, or raise that after ``BUSY_WAIT_S``."""
    deadline = time.monotonic() + BUSY_WAIT_S
    while True:
        try:
            return probe()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_STEP_S)


def _probe_tcp(family: int, address: tuple[str, int]) -> None:
    """Raise EADDRINUSE when somebody listens there: SO_REUSEPORT alone would share in silence."""
    if address[1]:
        _tcp(family, address, shared=False).close()


def _unix(path: str, mode: int) -> socket.socket:
    _refuse_busy(partial(_probe_unix, path))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(path)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _probe_unix(path: str) -> None:
    """Remove a socket file that nobody listens on; raise EADDRINUSE for one in use."""
    # Connecting to a plain file is refused just like connecting to a dead socket.
    if os.path.lexists(path) and not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError(errno.EEXIST, "there is a file that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            _unlink(path)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "in use")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _name(sock: socket.socket) -> Endpoint:
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return Endpoint(path=str(address))
    return Endpoint(str(address[0]), int(address[1]))


def raise_file_limit() -> int:
    """Let this process open as many files as it may; the new limit, 0 when we may not ask."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # Our systemd unit sets the limit (LimitNOFILE=) and forbids the call.
        return 0
    return hard
