"""Does this node serve? What the resource agent's monitor asks.

Promises: answers within its time, whatever hangs: shared storage is only touched by a child that
is left behind when it does not come back. The shallow question touches nothing but the node's own
run folder: workers look at lease and storage all the time and say so.
Answers: 0 serves, 7 is not running, 1 runs and does not serve (as OCF resource agents have it).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mailnode.cluster.beat import Beat, beats
from mailnode.cluster.layout import known_nodes, nodes_folder
from mailnode.cluster.lease import is_locked
from mailnode.cluster.published import Knows, knows, read_published
from mailnode.cluster.record import Holding, read_record
from mailnode.runtime import files
from mailnode.runtime.endpoint import Endpoint, parse_endpoint
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.settings.listen import IMPLICIT_TLS

SERVES, BROKEN, NOT_RUNNING = 0, 1, 7
# A loop that says nothing for so long is stuck; each speaks twice a second.
SILENT_S = 5.0
# Storage that no worker could look at for so long hangs.
STORAGE_S = 10.0
_SIOCGIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8913, 0x1, 0x40
# Children that hung; who watches for months must not gather their remains.
_left_behind: set[int] = set()
_GREETINGS = {"smtp": b"220", "submission": b"220", "lmtp": b"220", "imap": b"* OK", "pop3": b"+OK"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``status`` as above, and why."""

    status: int
    reason: str


def look_shallow(run_dir: Path) -> Verdict:
    """Is the supervisor alive and ready, does each worker's loop turn, is storage there?"""
    found = beats(run_dir)
    chief = next((one for one in found if one.kind == "supervisor"), None)
    if chief is None:
        return Verdict(NOT_RUNNING, "mailnode is not running")
    workers = [one for one in found if one.kind == "worker"]
    fault = _supervisor_fault(chief) or _workers_fault(workers)
    return Verdict(BROKEN, fault) if fault else Verdict(SERVES, f"{len(workers)} workers serve")


def _supervisor_fault(chief: Beat) -> str:
    if chief.state == "T" or chief.age_s > SILENT_S:
        return f"the supervisor (pid {chief.pid}) is stopped or hangs"
    if chief.facts.get("stopping"):
        return "mailnode is stopping"
    if not chief.facts.get("ready") or not chief.facts.get("ready_workers"):
        return "mailnode is not ready"
    return ""


def _workers_fault(workers: Sequence[Beat]) -> str:
    if not workers:
        return "no worker watches its lease: is the mail root there?"
    for one in workers:
        if one.state == "T" or one.age_s > SILENT_S:
            return f"the event loop of worker {one.pid} hangs"
    told = [str(one.facts.get("storage", "")) for one in workers]
    if all(told):
        return f"storage: {told[0]}"
    ages = [float(one.facts.get("storage_age_s", 0)) for one in workers]
    if min(ages) > STORAGE_S:
        return f"storage hangs for {min(ages):.0f} s"
    if any(one.facts.get("drain") is True for one in workers):
        return "this node is drained"
    return ""


def look_deep(
    run_dir: Path, root: Path, *, within_s: float, proxies: TrustedProxies | None = None
) -> Verdict:
    """Also: does every port greet, can the mail root be written, is anybody known?"""
    verdict = look_shallow(run_dir)
    if verdict.status != SERVES:
        return verdict
    end = time.monotonic() + within_s
    spots = _spots(beats(run_dir))
    faults = _ports_faults(spots, within_s / 2, proxies or TrustedProxies())
    left_s = max(0.5, end - time.monotonic())
    storage = bounded(lambda: _write_probe(root), left_s)
    if storage:
        faults.append(f"mail root: {storage}")
    known, fault = _directory(beats(run_dir), root, max(0.5, end - time.monotonic()))
    if fault:
        faults.append(fault)
    if faults:
        return Verdict(BROKEN, "; ".join(faults))
    said = f"{len(spots)} ports greet, storage is writable{known}"
    return Verdict(SERVES, f"{verdict.reason}, {said}")


def _directory(found: Sequence[Beat], root: Path, within_s: float) -> tuple[str, str]:
    """What to say of the directory, and what is wrong with it. A database that all nodes miss
    moves no address: it would be missed there as well."""
    told = knows([one.facts.get("directory", {}) for one in found])
    node = next((str(one.facts.get("node", "")) for one in found if one.kind == "supervisor"), "")
    if told in (Knows.ANSWERS, Knows.UNASKED):
        return (", the directory answers" if told else ""), ""
    if told is Knows.CACHED:
        return ", the directory is gone, who was known goes on", ""
    better = bounded(lambda: _ask_others(root, node), within_s)
    fault = f"the directory does not answer and nobody is known here: {better}" if better else ""
    return ", the directory is gone on every node", fault


def _ask_others(root: Path, node: str) -> None:
    """Raises ``RuntimeError`` when another living node knows users."""
    for other in known_nodes(root):
        record = read_record(root, other)
        if other == node or record is None or record.holding is not Holding.HELD:
            continue
        known = read_published(root, other, record.token).directory
        if known in (Knows.ANSWERS, Knows.CACHED) and is_locked(root, other):
            raise RuntimeError(f"{other} knows")


def link_fault(nic: str) -> str:
    """What is wrong with the interface: empty when it is there, up and has a carrier.
    Source: netdevice(7); asked of the kernel, for /sys may show another namespace's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16sH22x", nic.encode()[:15], 0)
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, request)
        except OSError as error:
            return f"{nic}: {error.strerror}"
    (flags,) = struct.unpack_from("H", answer, 16)
    return "" if flags & _IFF_UP and flags & _IFF_RUNNING else f"{nic} is down or has no carrier"


def bounded(call: Callable[[], object], within_s: float) -> str:
    """Run ``call`` in a child; empty when it returned in time, else what went wrong. A child that
    hangs is told to end, and buried by a later call once it has ended."""
    _bury()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(writer, call)
    os.close(writer)
    try:
        if not select.select([reader], [], [], within_s)[0]:
            os.kill(pid, signal.SIGKILL)
            _left_behind.add(pid)
            return f"no answer within {within_s:.1f} s"
        said = os.read(reader, 500).decode("utf-8", "replace")
        os.waitpid(pid, 0)
        return "" if said == "ok" else said or "the probe died"
    finally:
        os.close(reader)


def _bury() -> None:
    for pid in list(_left_behind):
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue  # still in the hands of the storage
        _left_behind.discard(pid)


def _answer(writer: int, call: Callable[[], object]) -> None:
    try:
        # Who waits for the end of our output must not wait for a child that hangs.
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        call()
        os.write(writer, b"ok")
    except Exception as error:  # noqa: BLE001  barrier: whatever it is, it is the answer
        os.write(writer, str(error).encode()[:500] or b"failed")
    finally:
        os._exit(0)


def _write_probe(root: Path) -> None:
    """Write, sync, rename and remove a file where all nodes write."""
    folder = str(nodes_folder(root))
    path = f"{folder}/.probe-{os.getpid()}-{time.monotonic_ns()}"
    files.write_new(path, (b"probe",))
    files.rename(path, path + "-renamed")
    files.fsync_dir(folder)
    files.unlink(path + "-renamed")


def _spots(found: Sequence[Beat]) -> list[tuple[str, Endpoint]]:
    told = [text for one in found if one.kind == "supervisor" for text in one.facts["services"]]
    spots = [str(text).partition(" ")[::2] for text in told]
    return [(service, parse_endpoint(text)) for service, text in spots]


def _ports_faults(
    spots: Sequence[tuple[str, Endpoint]], within_s: float, proxies: TrustedProxies
) -> list[str]:
    if not spots:
        return ["no port is known"]
    with ThreadPoolExecutor(len(spots)) as pool:
        asked = [pool.submit(_greeting_fault, *spot, within_s, proxies) for spot in spots]
        return [fault for fault in (one.result() for one in asked) if fault]


def _greeting_fault(
    service: str, endpoint: Endpoint, within_s: float, proxies: TrustedProxies
) -> str:
    try:
        with _connect(endpoint, within_s) as sock:
            if not endpoint.path and proxies.trusts(sock.getsockname()[0]):
                sock.sendall(b"PROXY UNKNOWN\r\n")
            said = _greeting(service, sock)
    except OSError as error:
        return f"{service} {endpoint}: {error.strerror or error or 'no greeting'}"
    expected = _GREETINGS[service.removesuffix("s") if service in IMPLICIT_TLS else service]
    return "" if said.startswith(expected) else f"{service} {endpoint}: said {said[:40]!r}"


def _greeting(service: str, sock: socket.socket) -> bytes:
    if service not in IMPLICIT_TLS:
        return sock.recv(512)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Not who it is but whether it speaks: the certificate names the host, not this address.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(sock) as tunnel:
        return tunnel.recv(512)


def _connect(endpoint: Endpoint, within_s: float) -> socket.socket:
    if endpoint.path:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(within_s)
        sock.connect(endpoint.path)
        return sock
    near = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}
    return socket.create_connection(
        (near.get(endpoint.host, endpoint.host), endpoint.port), within_s
    )
