"""Network namespaces for tests, under names of their own, removed with what runs in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

_NEEDED = ("ip", "unshare", "nsenter")


def need_namespaces() -> None:
    """Skip, saying why, where network namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for program in _NEEDED:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: run scripts/test")
    tried = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"this machine makes no network namespaces with veth: {tried.stderr.strip()}")


def need_program(*names: str) -> None:
    """Skip, saying why, where a program is missing."""
    for name in names:
        if shutil.which(name) is None and not os.access(name, os.X_OK):
            pytest.skip(f"{name} is not installed: see tests/support/packages-cluster.txt")


class Network:
    """One named network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *command: str) -> list[str]:
        """``command`` as it is run inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, fails: bool = False, **more: object) -> str:
        """Run to the end; what it printed."""
        return checked(self.command(*command), fails=fails, **more)

    def ip(self, arguments: str) -> str:
        """``ip`` with these arguments, inside."""
        return checked(["ip", "-n", self.name, *arguments.split()])


def checked(command: Sequence[str], *, fails: bool = False, **more: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]  # options are handed on as they are
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=60,
        **more,
    )
    assert fails or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return str(done.stdout)


@contextmanager
def network(purpose: str) -> Iterator[Network]:
    """A namespace that ends with the block, together with all processes in it."""
    name = f"mn-{purpose}-{os.getpid()}"
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
