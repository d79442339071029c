"""systemd's two protocols, without systemd."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from mailnode.model.errors import BadSettings
from mailnode.runtime.systemd import Notifier, take_sockets

# Puts a listening socket on descriptor 3 as systemd does, then asks for it.
ACTIVATED = """
import os, socket, sys
from mailnode.runtime.systemd import take_sockets
sock = socket.create_server(("127.0.0.1", 0))
if sock.fileno() != 3:
    os.dup2(sock.fileno(), 3)
    sock.close()
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": sys.argv[1]}
found = take_sockets(frozenset({"imap", "smtp"}))
(name, (taken,)), = found.items()
print(name, taken.fileno(), os.get_inheritable(3), "LISTEN_FDS" in os.environ, flush=True)
os._exit(0)
"""


def _activated(name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ACTIVATED, name]
    return subprocess.run(command, capture_output=True, text=True, check=False, close_fds=True)


def test_sockets_are_taken_by_name_once() -> None:
    assert _activated("imap").stdout.split() == ["imap", "3", "False", "False"]


def test_socket_of_unknown_name_is_refused() -> None:
    said = _activated("imapx").stderr
    assert 'FileDescriptorName "imapx" is no service; write one of: imap, smtp' in said


@pytest.mark.parametrize(
    "env",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid())}],
)
def test_what_is_not_for_us_is_not_taken(env: dict[str, str]) -> None:
    assert take_sockets(frozenset({"imap"}), env) == {}


def test_unknown_name_raises_for_us() -> None:
    env = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}
    with pytest.raises(BadSettings):
        take_sockets(frozenset({"imap"}), env)


def test_notifier_speaks_to_its_socket_and_hides_it_from_children() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("")
        name = "@" + heard.getsockname()[1:].decode()
        env = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}
        notifier = Notifier(env)
        assert env == {}
        assert notifier.watchdog_s == 30
        notifier.ready("2 workers")
        assert heard.recv(100) == b"READY=1\nSTATUS=2 workers"
        notifier.close()
        notifier.alive()
        heard.setblocking(False)
        with pytest.raises(BlockingIOError):
            heard.recv(100)


def test_notifier_without_systemd_is_silent_and_a_lost_one_does_not_raise() -> None:
    quiet = Notifier({})
    quiet.ready("x")
    quiet.close()
    lost = Notifier({"NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_PID": "1"})
    assert lost.watchdog_s == 0
    lost.stopping()
    lost.close()
