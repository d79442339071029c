"""Machines without hardware: one set of namespaces each, with an init of its own.

Promises: killing the init is a power cut: every process of the machine and its links are gone at
once; whatever the machine mounts is seen by itself only and goes with it. The file systems below
are the host's, so a folder named to several machines is storage that they share.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.support.namespaces import Network, checked

WAIT_S = 30.0
_ENTER = ("-m", "-n", "-u", "-i", "-p")
# Own copies: what is written there must not be seen by the host or the other machines.
_COPIED = (
    "/etc",
    "/usr/lib/ocf/resource.d",
    "/usr/lib/stonith/plugins",
    "/var/lib/heartbeat",
    "/var/lib/pacemaker",
    "/var/lib/corosync",
)
_LOGS = "/var/log"

# $1 name, $2 folder with own copies, then their places. "ready" is read by whoever started it; the
# shell then reaps orphans for as long as the machine lives.
_INIT = """
set -e
hostname "$1"; own=$2; shift 2
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for place; do [ ! -d "$own$place" ] || mount --bind "$own$place" "$place"; done
mkdir -p /run/lock /run/resource-agents /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd
! id hacluster || chown -R hacluster:haclient /run/heartbeat
ip link set lo up
echo ready
exec >/dev/null
set +e
while :; do sleep 1000 & wait; done
"""


class Machine:
    """One of them; ``boot`` before anything else."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.copies = folder / "copies"
        self._unshare: subprocess.Popen[str] | None = None
        self._init = self._space = 0
        # Held open, so that nobody else's namespace gets the same number while it is looked for.
        self._space_fd = -1
        self._started: list[subprocess.Popen[bytes]] = []
        # Who fences it and who kills it may be different threads.
        self._power = threading.Lock()
        self._cables: list[tuple[Network, str]] = []
        Path(f"{self.copies}{_LOGS}").mkdir(parents=True)
        for place in filter(os.path.isdir, _COPIED):
            Path(f"{self.copies}{place}").parent.mkdir(parents=True, exist_ok=True)
            checked(["cp", "-a", place, f"{self.copies}{place}"])

    def place(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file that only this machine sees; ``path`` is below one of its copies."""
        assert path.startswith(_COPIED), path
        file = Path(f"{self.copies}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=mode)
        file.write_text(text)
        file.chmod(mode)

    def boot(self) -> None:
        """Start the init; nothing else runs yet, no link is there."""
        assert not self.is_on, f"{self.name} is on already"
        self._forget_space()
        command = ["unshare", *_ENTER, "-f", "--propagation", "private", "--kill-child"]
        command += ["sh", "-c", _INIT, "init", self.name, str(self.copies)]
        command += [*_COPIED, _LOGS]
        with (self.folder / "init.err").open("ab") as errors:
            self._unshare = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"LC_ALL": "C"},
            )
        assert self._unshare.stdout
        while (said := self._unshare.stdout.readline()) not in ("ready\n", ""):
            continue
        assert said, (self.folder / "init.err").read_text()
        pid = self._unshare.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._init = int(children[0])
        self._space_fd = os.open(f"/proc/{self._init}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._space = os.fstat(self._space_fd).st_ino

    @property
    def is_on(self) -> bool:
        """Whether its init lives."""
        return self._unshare is not None and self._unshare.poll() is None

    def link(self, network: Network, bridge: str, nic: str, *addresses: str) -> None:
        """Plug a cable into the bridge of ``network``; addresses with prefix lengths."""
        far = f"{self.name}-{nic}"
        self._cables.append((network, far))
        network.ip(f"link add {far} type veth peer name {nic} netns {self._init}")
        network.ip(f"link set {far} master {bridge} up")
        for address in addresses:
            # As every distribution's own tools do: ip(8) alone leaves no broadcast address.
            more = ["nodad"] if ":" in address else ["brd", "+"]
            self.net("ip", "addr", "add", address, "dev", nic, *more)
        self.net("ip", "link", "set", nic, "up")

    def net(self, *command: str) -> str:
        """Run to the end in the machine's network only; works when all its processes are frozen."""
        return checked(["nsenter", "-t", str(self._init), "-n", *command])

    def command(self, *command: str) -> list[str]:
        """``command`` as it is run inside."""
        return ["nsenter", "-t", str(self._init), *_ENTER, "--", *command]

    def run(self, *command: str, fails: bool = False, **more: object) -> str:
        """Run to the end inside; what it printed."""
        return checked(self.command(*command), fails=fails, **more)

    def start(self, log: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program inside, its output in the machine's folder; it ends with the machine."""
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                self.command(*command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | environment,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def read(self, log: str) -> str:
        """A log that the machine wrote, from /var/log or started programs; empty without one."""
        path = self.folder / log
        if not path.exists():
            path = Path(f"{self.copies}{_LOGS}/{log}")
        return path.read_text(errors="replace") if path.exists() else ""

    def addresses(self) -> set[str]:
        """All that its interfaces hold; none when it is off."""
        # It may be switched off at any moment.
        command = ["nsenter", "-t", str(self._init), "-n", "ip", "-o", "addr", "show"]
        shown = checked(command, fails=True) if self.is_on else ""
        return {line.split()[3].partition("/")[0] for line in shown.splitlines() if " inet" in line}

    def processes(self) -> list[int]:
        """Every process of the machine, its init first, by the host's numbers."""
        found = [pid for pid in _pids() if self._space and _pid_space(pid) == self._space]
        return sorted(found, key=lambda pid: pid != self._init)

    def pids(self, words: str) -> list[int]:
        """Processes of the machine whose command line holds these words."""
        return [pid for pid in self.processes() if words in _command_line(pid)]

    def kill(self, words: str, number: signal.Signals) -> None:
        """To all of ``pids`` at once."""
        for pid in self.pids(words):
            _signal(pid, number)

    def freeze(self) -> None:
        """Stop everything in it, also what is being born meanwhile."""
        stopped: set[int] = set()
        while not stopped >= (now := set(self.processes())):
            for pid in now - stopped:
                _signal(pid, signal.SIGSTOP)
            stopped |= now

    def thaw(self) -> None:
        """Let it go on."""
        for pid in [*self.processes(), *self._outside()]:
            _signal(pid, signal.SIGCONT)

    def power_off(self) -> None:
        """At once; works on a frozen machine too. Nothing of it is left afterwards."""
        with self._power:
            self._power_off()

    def _power_off(self) -> None:
        if self._unshare is None:
            return
        # All of it, whatever of it fails.
        with ExitStack() as steps:
            steps.callback(self._forget_space)
            steps.callback(self._started.clear)
            if self._unshare.stdout:
                steps.callback(self._unshare.stdout.close)
            steps.callback(self._unplug)
            steps.callback(self._must_be_gone)
            for process in (self._unshare, *self._started):
                steps.callback(self._reap, process)
            if self.is_on:
                _signal(self._init, signal.SIGKILL)

    def _must_be_gone(self) -> None:
        end = time.monotonic() + WAIT_S
        while self.processes():
            assert time.monotonic() < end, f"{self.name} is off and runs"
            time.sleep(0.01)

    def _unplug(self) -> None:
        # A connection that nobody ends keeps the namespace, and the cable in it, for minutes.
        for network, far in self._cables:
            checked(["ip", "-n", network.name, "link", "del", far], fails=True)
        self._cables.clear()

    def _forget_space(self) -> None:
        if self._space_fd >= 0:
            os.close(self._space_fd)
        self._space, self._space_fd = 0, -1

    def _outside(self) -> list[int]:
        """Those of the host that wait for the machine's: they stop when what they wait for does."""
        waiting = [self._unshare, *self._started]
        return [one.pid for one in waiting if one is not None and one.poll() is None]

    def _reap(self, process: subprocess.Popen[Any]) -> None:
        end = time.monotonic() + WAIT_S
        while process.poll() is None:
            assert time.monotonic() < end, f"{self.name}: {process.args} does not end"
            for pid in self._outside():
                _signal(pid, signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)

    def until(self, what: str, command: Sequence[str], answer: str, within_s: float = 60) -> float:
        """Wait until ``command``, run inside, says ``answer``; the seconds it took."""
        began = time.monotonic()
        while answer not in (said := self.run(*command, fails=True)):
            assert time.monotonic() - began < within_s, f"{what}: {command} says {said!r}"
            time.sleep(0.1)
        return time.monotonic() - began


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _pid_space(pid: int) -> int:
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    return 0


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
