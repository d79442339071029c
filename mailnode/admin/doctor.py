"""Looks at a machine as mailnode will find it, and says what to mend.

Promises: changes nothing but a probe file in the mail root and the spool, which it removes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mailnode.admin.owner import unreadable
from mailnode.cluster.beat import beats
from mailnode.model.errors import MailnodeError
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.endpoint import Endpoint, parse_endpoint
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.tls import open_certificates
from mailnode.store.guard import read_guard

GREETING_WITHIN_S = 5.0
_LITTLE_SPACE = 0.05
# RFC 6761 6.2 to 6.5: top-level names that nobody can have. `mailnode demo` takes one.
_TRIAL_NAMES = frozenset({"test", "example", "invalid", "localhost"})
_GREETINGS = {"smtp": b"220", "submission": b"220", "lmtp": b"220", "imap": b"* OK", "pop3": b"+OK"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``remedy`` is empty when it is well."""

    what: str
    well: bool
    found: str
    remedy: str = ""


def examine(settings: Settings, config: Path) -> Iterator[Check]:
    """Every check, in the order in which a fault would hide the next."""
    yield from _files(settings, config)
    yield from _storage(settings)
    yield _directory(settings)
    yield from _issuer(settings)
    yield from _certificate(settings)
    yield _name(settings)
    for service, endpoint in _addresses(settings):
        yield _greeting(service, endpoint)


def _addresses(settings: Settings) -> dict[tuple[str, Endpoint], None]:
    """Service and endpoint of all that should listen, in order; where the system chose the port,
    what the running supervisor says it is."""
    found: dict[tuple[str, Endpoint], None] = {}
    for service, endpoints in settings.listen.by_service().items():
        for endpoint in endpoints:
            chosen = _bound(settings, service) if not (endpoint.path or endpoint.port) else ()
            found |= dict.fromkeys((service, one) for one in chosen or (endpoint,))
    return found


def _bound(settings: Settings, service: str) -> list[Endpoint]:
    running = (one for one in beats(settings.server.run_dir) if one.kind == "supervisor")
    told = (text.partition(" ") for one in running for text in one.facts.get("services", ()))
    return [parse_endpoint(spot) for name, _, spot in told if name == service]


def _files(settings: Settings, config: Path) -> Iterator[Check]:
    """What root can read and the service perhaps cannot."""
    tls = settings.tls
    pair = () if tls.self_signed else (tls.certificate, tls.key)
    named = [path for path in (config, *pair, tls.client_ca, tls.client_crl) if path is not None]
    root = settings.server.mail_dir
    refused = unreadable(root, [path.absolute() for path in named if path.exists()])
    for path in refused:
        group = _group(root)
        remedy = f"`chgrp {group} FILE && chmod g+r FILE`, and let it enter the folders above"
        yield Check("readable", False, f"{path}: not for the owner of the mail root", remedy)
    if not refused:
        yield Check("settings", True, str(config))


def _group(folder: Path) -> str:
    try:
        return folder.group()
    except KeyError:  # a number without a name
        return str(folder.stat().st_gid)


def _storage(settings: Settings) -> Iterator[Check]:
    root = settings.server.mail_dir
    try:
        yield Check("mail root", True, f"{root}, store {read_guard(root)[:8]}…")
    except MailnodeError as error:
        remedy = "mount it; if it is new, `mailnode store init` makes it a mail root"
        yield Check("mail root", False, f"{root}: {error}", remedy)
    for what, folder in (("mail root", root), ("spool", settings.spool_folder)):
        yield _durable(what, folder)
        yield _space(what, folder)


def _durable(what: str, folder: Path) -> Check:
    """Write, sync, rename and remove a file, as a delivery does."""
    probe = folder / f".probe-{os.getpid()}"
    start = time.perf_counter()
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, b"probe")
            os.fsync(fd)
        finally:
            os.close(fd)
            os.unlink(probe)
    except OSError as error:
        return Check(
            f"{what} writable",
            False,
            f"{folder}: {error.strerror}",
            "mount it read-write and let the account that mailnode runs as write there",
        )
    return Check(f"{what} writable", True, f"{(time.perf_counter() - start) * 1000:.1f} ms a sync")


def _space(what: str, folder: Path) -> Check:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Check(f"{what} space", False, f"{folder}: {error.strerror}", "make the folder")
    left = usage.free / usage.total
    remedy = (
        "make room: below a full disk senders hear 452 and wait" if left < _LITTLE_SPACE else ""
    )
    return Check(f"{what} space", not remedy, f"{usage.free / 2**30:.1f} GiB free", remedy)


def _directory(settings: Settings) -> Check:
    from mailnode.directory.build import open_directory
    from mailnode.runtime.tasks import Pool

    async def ask() -> str:
        pool = Pool(1, "doctor")
        try:
            directory = await open_directory(
                settings=settings.directory, pool=pool, clock=SystemClock(), log=NullLog()
            )
            try:
                return (await directory.domain("example.test")).value
            finally:
                await directory.close()
        finally:
            pool.close()

    try:
        asyncio.run(ask())
    except MailnodeError as error:
        remedy = "start the database server; check directory.urls, user and password"
        return Check("directory", False, str(error), remedy)
    return Check("directory", True, "answers")


def _issuer(settings: Settings) -> Iterator[Check]:
    """Whose access tokens are taken, where any are."""
    from mailnode.directory.tokens.build import open_issuer, open_web

    web = open_web(settings.oauth)
    try:
        issuer = open_issuer(settings.oauth, web, clock=SystemClock(), log=NullLog())
        if issuer is not None:
            yield Check("issuer", True, asyncio.run(issuer.look()))
    except MailnodeError as error:
        remedy = "see [oauth] in the settings file; until then logins by token fail for now"
        yield Check("issuer", False, str(error), remedy)
    finally:
        web.close()


def _certificate(settings: Settings) -> Iterator[Check]:
    try:
        # A self-signed one is the service's to make, and to own.
        with tempfile.TemporaryDirectory() as trial:
            found = open_certificates(
                settings.tls,
                hostname=settings.server.hostname,
                state=Path(trial),
                clock=SystemClock(),
            )
    except MailnodeError as error:
        yield Check("certificate", False, str(error), "see [tls] in the settings file")
        return
    for warning in found.warnings:
        yield Check("certificate", False, warning, "renew it, then `systemctl reload mailnode`")
    if not found.warnings:
        kind = "self-signed: mail clients warn" if settings.tls.self_signed else "good"
        yield Check("certificate", True, kind)


def _name(settings: Settings) -> Check:
    host = settings.server.hostname
    try:
        spots = {str(entry[4][0]) for entry in socket.getaddrinfo(host, 25)}
    except OSError as error:
        if host.rpartition(".")[2] in _TRIAL_NAMES:
            return Check("host name", True, f"{host} is a name for trials, which no DNS has")
        return Check("host name", False, f"{host}: {error}", f"add an A or AAAA record for {host}")
    return Check("host name", True, f"{host} is {', '.join(sorted(spots))}")


def _greeting(service: str, endpoint: Endpoint) -> Check:
    what = f"{service} {endpoint}"
    expected = _GREETINGS.get(service)
    try:
        with _connect(endpoint) as sock:
            said = sock.recv(512) if expected else b""
    except OSError as error:
        remedy = "start it: `systemctl start mailnode`; then look at its log"
        return Check(what, False, error.strerror or str(error), remedy)
    if expected and not said.startswith(expected):
        return Check(what, False, f"said {said[:40]!r}", "another program listens on this port")
    return Check(what, True, said.split(b"\r\n")[0][:60].decode("ascii", "replace") or "accepts")


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.path:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(GREETING_WITHIN_S)
        sock.connect(endpoint.path)
        return sock
    anywhere = endpoint.host in ("*", "0.0.0.0", "::")
    host = "localhost" if anywhere else endpoint.host
    return socket.create_connection((host, endpoint.port), GREETING_WITHIN_S)
