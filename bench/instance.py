"""A demo instance for a measurement: started on free ports, ended by its pid.

Promises: nothing is left running after the ``with`` block; its folder is one of
``bench.leftovers``.
"""

from __future__ import annotations

import os
import resource
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.leftovers import working_folder
from bench.usage import memory_kib
from mailnode.admin.instance import Instance

_STOP_WITHIN_S = 40


@contextmanager
def running(users: int = 1, database: str = "", workers: int = 0) -> Iterator[Instance]:
    """Start ``mailnode demo --json`` in a fresh folder and stop it afterwards; ``workers`` 0: one
    for each core."""
    with working_folder("mailnode-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "mailnode",
            "demo",
            "--json",
            "--dir",
            str(folder / "demo"),
        ]
        command += ["--users", str(users), "--port-base", "0", "--workers", str(workers)]
        if database:
            command += ["--database", database]
        with (folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("no start:\n" + (folder / "stderr").read_text()[-2000:])
            yield Instance.from_json(line.decode())
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def worker_pids(instance: Instance) -> list[int]:
    """The supervisor's children."""
    children = Path(f"/proc/{instance.pid}/task/{instance.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def new_workers(instance: Instance) -> None:
    """Replace every worker by one that knows nothing yet."""
    old = set(worker_pids(instance))
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    while old & set(worker_pids(instance)) or len(worker_pids(instance)) < len(old):
        time.sleep(0.05)
    for _ in range(2 * len(old)):
        with socket.create_connection(instance.address("imap")) as sock:
            read_until(sock, b"* OK")


def workers_kib(instance: Instance) -> int:
    """Memory of all workers in KiB."""
    return sum(memory_kib(pid) for pid in worker_pids(instance))


def allow_many_sockets() -> None:
    """Let this process have as many descriptors as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


def send(instance: Instance, count: int) -> None:
    """``count`` small messages to every user."""
    with smtplib.SMTP(*instance.address("smtp")) as client:
        for number in range(count):
            text = f"Subject: message {number}\r\n\r\nBody {number}\r\n"
            for start in range(0, len(instance.users), 500):
                client.sendmail("x@elsewhere.test", instance.users[start : start + 500], text)


def read_until(sock: socket.socket, tag: bytes) -> bytes:
    """What the server says up to the end of the line that begins with ``tag``."""
    data = b""
    while not any(line.startswith(tag) for line in data.split(b"\r\n")[:-1]):
        chunk = sock.recv(65536)
        if not chunk:
            raise SystemExit(f"connection closed: {data[-200:]!r}")
        data += chunk
    return data


def open_idle(
    address: tuple[str, int], user: str, password: str, context: ssl.SSLContext | None
) -> socket.socket:
    """One session: LOGIN, SELECT INBOX, IDLE; over TLS when a context is given."""
    sock = socket.create_connection(address, 60)
    if context:
        sock = context.wrap_socket(sock)
    read_until(sock, b"* OK")
    for tag, text in ((b"a", f'LOGIN "{user}" "{password}"'), (b"b", "SELECT INBOX")):
        sock.sendall(tag + b" " + text.encode() + b"\r\n")
        read_until(sock, tag + b" OK")
    sock.sendall(b"c IDLE\r\n")
    # RFC 3501 7.5: the text behind "+ " is for people.
    while not sock.recv(1000).startswith(b"+ "):
        pass
    return sock
