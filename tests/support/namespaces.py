"""Network namespaces for tests, under names of their own, removed with what runs in them."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_NEEDED = ("ip", "unshare", "nsenter")
_CLONE_NEWNET = 0x40000000
_TRY_S = 20
_NUMBERS = itertools.count(1)


def why_no_namespaces() -> str:
    """Why network namespaces cannot be made here; empty where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in _NEEDED:
        if shutil.which(program) is None:
            return f"{program} is not installed: run scripts/test"
    command = ["unshare", "-n", "-m", "-p", "-f", "--kill-child"]
    command += ["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRY_S)
    except subprocess.TimeoutExpired:
        return "this machine hangs making namespaces"
    if tried.returncode:
        return f"this machine makes no network namespaces with veth: {tried.stderr.strip()}"
    return ""


def why_no_program(*names: str) -> str:
    """Which of these programs is missing; empty where none is."""
    for name in names:
        if shutil.which(name) is None and not os.access(name, os.X_OK):
            return f"{name} is not installed: see tests/support/packages-cluster.txt"
    return ""


def need_namespaces() -> None:
    """Skip, saying why, where network namespaces cannot be made."""
    _skip_if(why_no_namespaces())


def need_program(*names: str) -> None:
    """Skip, saying why, where a program is missing."""
    _skip_if(why_no_program(*names))


def _skip_if(reason: str) -> None:
    # Here, so that what is no test can use this module without pytest.
    import pytest

    if reason:
        pytest.skip(reason)


class Network:
    """One named network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *command: str) -> list[str]:
        """``command`` as it is run inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, fails: bool = False, **more: object) -> str:
        """Run to the end inside; what it printed."""
        return checked(self.command(*command), fails=fails, **more)  # type: ignore[arg-type]  # options are handed on as they are

    def ip(self, arguments: str) -> str:
        """``ip`` with these arguments, inside."""
        return checked(["ip", "-n", self.name, *arguments.split()])

    def enter(self) -> None:
        """The calling thread's sockets are made inside from now on; for threads that end soon."""
        fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), self.name)
        finally:
            os.close(fd)


def checked(
    command: Sequence[str], *, fails: bool = False, within_s: float = 60, **more: object
) -> str:
    """Run to the end; what it printed."""
    done = subprocess.run(  # type: ignore[call-overload]  # options are handed on as they are
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=within_s,
        **more,
    )
    assert fails or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return str(done.stdout)


@contextmanager
def network(purpose: str) -> Iterator[Network]:
    """A namespace that ends with the block, together with all processes in it."""
    name = f"mn-{purpose}-{os.getpid()}-{next(_NUMBERS)}"
    checked(["ip", "netns", "add", name])
    try:
        inside = Network(name)
        inside.ip("link set lo up")
        yield inside
    finally:
        end_processes(name)
        checked(["ip", "netns", "del", name], fails=True)


def end_processes(name: str) -> None:
    """Kill what runs in the namespace: programs put themselves into the background."""
    for _ in range(50):
        pids = checked(["ip", "netns", "pids", name], fails=True).split()
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
