"""The whole server as a process: start, signals, faults, end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.pem import make_self_signed
from mailnode.worker import _read_again
from tests.support.live_server import LiveServer
from tests.support.namespaces import need_namespaces

pytestmark = pytest.mark.e2e
Start = Callable[..., LiveServer]

GREETINGS = {"smtp": b"220 ", "submission": b"220 ", "lmtp": b"220 "}
GREETINGS |= {"imap": b"* OK", "pop3": b"+OK"}
UNIT_KEYS = ("CapabilityBoundingSet", "AmbientCapabilities")
IMPLICIT = {"submissions": b"220 ", "imaps": b"* OK", "pop3s": b"+OK"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def start(**sections: dict[str, object]) -> LiveServer:
            server = LiveServer(tmp_path, **sections).start()
            stack.callback(server.stop)
            return server

        yield start


def _tls(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


def _certificate(server: LiveServer) -> bytes:
    with _tls(server.connect("imaps")) as sock:
        return sock.getpeercert(binary_form=True) or b""


def test_every_service_greets_and_sigterm_ends_with_0(start: Start) -> None:
    server = start()
    for service, greeting in GREETINGS.items():
        with server.connect(service) as sock:
            assert sock.recv(1000).startswith(greeting), service
    for service, greeting in IMPLICIT.items():
        with _tls(server.connect(service)) as sock:
            assert sock.recv(1000).startswith(greeting), service
    assert server.stop() == 0
    assert (server.folder / "stderr").read_text() == ""
    assert server.events("library") == []
    assert server.events("error") == []
    assert len(server.events("stopped")) == 3


def test_sigterm_says_goodbye_to_idle_sessions_within_the_bound(start: Start) -> None:
    server = start()
    names = ("imap", "pop3", "smtp")
    imap, _, smtp = socks = [server.connect(name) for name in names]
    for sock in socks:
        sock.recv(1000)
    server.signal(signal.SIGTERM)
    assert b"* BYE" in imap.recv(1000)
    assert smtp.recv(1000).startswith(b"421")
    assert server.wait() == 0
    for sock in socks:
        while sock.recv(1000):
            pass
        sock.close()


def test_any_worker_resumes_a_tls_session(start: Start) -> None:
    server = start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(server.connect("imaps")) as sock:
        sock.recv(1000)
        session = sock.session
    # The kernel spreads these over both workers.
    for _ in range(12):
        with context.wrap_socket(server.connect("imaps"), session=session) as sock:
            assert sock.session_reused


def test_sighup_swaps_the_certificate_and_keeps_sessions(start: Start, tmp_path: Path) -> None:
    first = make_self_signed(tmp_path / "pem", ("one.example.test",), SystemClock())
    named = {"certificate": str(first[0]), "key": str(first[1]), "self_signed": False}
    server = start(tls=named)
    before, workers = _certificate(server), set(server.workers())
    with server.connect("imap") as imap:
        imap.recv(1000)
        make_self_signed(tmp_path / "pem", ("two.example.test",), SystemClock())
        server.signal(signal.SIGHUP)
        server.until_event("reloaded", settings="unchanged")
        imap.sendall(b"a NOOP\r\n")
        assert b"a OK" in imap.recv(1000)
    while _certificate(server) == before:
        pass
    assert set(server.workers()) == workers


def test_sighup_makes_the_directory_ask_anew() -> None:
    told: list[str] = []
    tools, directory = MagicMock(), MagicMock()
    tools.log.reopen = lambda: told.append("log")
    tools.certificates.reload = lambda: told.append("certificates")
    directory.forget = lambda: told.append("directory")
    _read_again(tools, directory)
    _read_again(tools)
    assert told == ["log", "directory", "certificates", "log", "certificates"]


def test_sighup_with_new_settings_serves_on_the_same_port(start: Start) -> None:
    server = start()
    workers = set(server.workers())
    server.sections["server"]["workers"] = 1
    server.sections["listen"]["pop3"] = []
    server.write()
    server.signal(signal.SIGHUP)
    server.until_event("reloaded", settings="changed")
    with server.connect("imap") as sock:
        assert sock.recv(1000).startswith(b"* OK")
    # With the old workers goes the service that is off.
    for pid in workers:
        server.until_gone(pid)
    # Gone is not yet waited for by their supervisor.
    while workers & set(server.workers()):
        time.sleep(0.01)
    assert len(server.workers()) == 1
    with pytest.raises(ConnectionRefusedError):
        server.connect("pop3").close()


def test_sighup_with_wrong_settings_keeps_the_old_ones(start: Start) -> None:
    server = start()
    workers = set(server.workers())
    before = len(server.events("settings"))
    server.sections["imap"] = {"max_sesions": 3}
    server.sections["listen"]["smtp"] = ["nonsense"]
    server.write()
    server.signal(signal.SIGHUP)
    server.until_event("settings", count=before + 2)
    reasons = [one["reason"] for one in server.events("settings")]
    assert any("[listen] smtp" in reason for reason in reasons)
    assert any("max_sesions: unknown key; did you mean" in reason for reason in reasons)
    assert set(server.workers()) == workers
    with server.connect("imap") as sock:
        assert sock.recv(1000).startswith(b"* OK")


class Caged(LiveServer):
    """Alone on a network of its own, with no more rights than these."""

    capabilities = "-all"

    def python(self, *words: str) -> list[str]:
        cage = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "cage"]
        cage += [
            "setpriv",
            f"--bounding-set={self.capabilities}",
            f"--inh-caps={self.capabilities}",
        ]
        return [*cage, *super().python(*words)]


@pytest.mark.parametrize("capabilities", ["-all", "-all,+net_bind_service"])
def test_a_new_port_below_1024_at_sighup(tmp_path: Path, capabilities: str) -> None:
    """With what the unit leaves it may be bound; else it is refused with a remedy."""
    need_namespaces()
    unit = (Path(__file__).parents[2] / "systemd/mailnode.service").read_text().splitlines()
    assert {f"{key}=CAP_NET_BIND_SERVICE" for key in UNIT_KEYS} <= set(unit)
    server = Caged(tmp_path)
    server.capabilities = capabilities
    try:
        server.start()
        workers = set(server.workers())
        server.sections["listen"]["smtp"] = ["127.0.0.1:25"]
        server.write()
        server.signal(signal.SIGHUP)
        if capabilities == "-all":
            told = "[listen] smtp: cannot bind 127.0.0.1:25: not allowed; start anew as root with "
            told += "server.user set, or by systemd, or set listen.smtp to a port above 1023"
            server.until_event("settings", reason=told)
            assert set(server.workers()) == workers
        else:
            server.until_event("reloaded", settings="changed")
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be told so")
def test_root_that_stays_root_is_told_once(start: Start) -> None:
    server = start()
    told = [one for one in server.events("settings") if one["reason"] == "the server runs as root"]
    assert [one["remedy"] for one in told] == [
        'set server.user = "mailnode", or have systemd start it'
    ]


def test_killed_worker_is_replaced_by_one_that_serves(start: Start) -> None:
    server = start(server={"workers": 1})
    (victim,) = server.workers()
    os.kill(victim, signal.SIGKILL)
    with server.connect("imap") as sock:
        assert sock.recv(1000).startswith(b"* OK")
    assert server.workers() != [victim]


def test_killed_supervisor_may_be_started_again_at_once(start: Start) -> None:
    server = start()
    server.sections["listen"] = {name: [f"127.0.0.1:{port}"] for name, port in server.ports.items()}
    server.signal(signal.SIGKILL)
    server.wait()
    server.start()
    with server.connect("imap") as sock:
        assert sock.recv(1000).startswith(b"* OK")


def test_without_its_guard_file_nothing_starts(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    (tmp_path / "mail").mkdir()
    server.launch(guard=False)
    assert server.wait() == 1
    (said, *_) = server.events("storage")
    assert said["path"] == str(tmp_path / "mail")
    assert said["remedy"]
    assert not server.events("started")
    assert list((tmp_path / "mail").iterdir()) == []


def test_worker_that_finds_the_mail_root_gone_still_answers(start: Start) -> None:
    server = start(server={"workers": 1})
    (server.folder / "mail").rename(server.folder / "elsewhere")
    (victim,) = server.workers()
    os.kill(victim, signal.SIGKILL)
    with server.connect("imap") as sock:
        assert sock.recv(1000).startswith(b"* OK")
    server.until_event("storage")


def test_dead_database_does_not_stop_the_start(start: Start) -> None:
    server = start(directory={"urls": ["mysql://u:hunter2@127.0.0.1:1/none"]})
    server.until_event("database")
    with server.connect("smtp") as sock:
        assert sock.recv(1000).startswith(b"220 ")
    assert "hunter2" not in server.log.read_text()


def _cores(pid: int) -> set[tuple[int, ...]]:
    """Where the threads of a process may run."""
    threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return {tuple(sorted(os.sched_getaffinity(thread))) for thread in threads}


def test_workers_keep_to_a_core_each_where_there_is_one_for_each(start: Start) -> None:
    ours = sorted(os.sched_getaffinity(0))
    server = start(server={"workers": len(ours)})
    wanted = {(core,) for core in ours}
    found = [_cores(pid) for pid in server.workers()]
    assert all(len(threads) == 1 for threads in found), found
    assert {one for threads in found for one in threads} == wanted
    assert server.process
    assert _cores(server.process.pid) == {tuple(ours)}  # the supervisor is bound to none


def test_workers_run_anywhere_if_so_wanted(start: Start) -> None:
    ours = tuple(sorted(os.sched_getaffinity(0)))
    server = start(server={"workers": len(ours), "keep_to_cores": False})
    assert [_cores(pid) for pid in server.workers()] == [{ours}] * len(ours)
