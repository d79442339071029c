"""Two machines with real Heartbeat, one service address each, and mailnode on one shared folder.

The machines take the files that ``mailnode cluster config`` writes, fencing included; what is put
in their place is a database (SQLite), folders, and ``ipmitool``, which asks a ``PowerSwitch``.
Networks: 10.91.0.0/24 and fd91::/64 on eth0 with the clients, 10.92.0.0/24 on eth1 between nodes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from mailnode.admin.cluster_plan import Node, Plan
from mailnode.admin.cluster_writer import Written, render
from mailnode.admin.instance import settings_text
from mailnode.admin.setup import fill_directory
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.logline import parse_logfmt
from mailnode.store.check import Checker
from mailnode.store.guard import lay_guard
from tests.support.machines import Machine
from tests.support.namespaces import Network, network, why_no_namespaces, why_no_program

HEARTBEAT = "/usr/libexec/heartbeat/heartbeat"
DOMAIN, PASSWORD = "example.test", "a password of the tests"
NAMES = ("n1", "n2")
SERVICE = {"n1": "10.91.0.25", "n2": "10.91.0.26"}
SERVICE6 = {"n1": "fd91::25", "n2": "fd91::26"}
CONFIG = "/etc/mailnode/mailnode.toml"
_PROGRAM = "/etc/mailnode/bin/mailnode"
_ROOT = Path(__file__).parents[2]
# ipmitool's dialect, as far as config/fencing/fence speaks it.
_IPMITOOL = """#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" != -H ] || board=$2; shift; done
case $1 in
  off) echo "$board" > {folder}/orders; echo "Chassis Power Control: Down/Off" ;;
  status) echo "Chassis Power is $(cat {folder}/$board)" ;;
esac
"""


def why_no_heartbeat() -> str:
    """Why such a pair cannot run here; empty where it can."""
    return why_no_namespaces() or why_no_program(HEARTBEAT, "cl_status")


class PowerSwitch:
    """Boards that switch machines off when told so by way of a pipe in ``folder``."""

    def __init__(self, folder: Path, machines: dict[str, Machine]) -> None:
        self.folder, self._machines = folder, machines
        folder.mkdir()
        os.mkfifo(folder / "orders")
        self._pipe = os.open(folder / "orders", os.O_RDWR | os.O_CLOEXEC)
        self.shot: list[tuple[float, str]] = []
        for board in machines:
            (folder / board).write_text("on\n")
        self._thread = threading.Thread(target=self._run, name="power switch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (orders := os.read(self._pipe, 500).decode()) != "end\n":
            for board in orders.split():
                self.shot.append((time.monotonic(), self._machines[board].name))
                self._machines[board].power_off()
                (self.folder / board).write_text("off\n")

    def close(self) -> None:
        """No more orders."""
        os.write(self._pipe, b"end\n")
        self._thread.join()
        os.close(self._pipe)


class Pair:
    """The two, their network, and what they share; made by ``pair_of``."""

    # Rooms of the written files that the machines take.
    parts: tuple[str, ...] = ("ocf/", "heartbeat/", "fencing/")
    log_names: tuple[str, ...] = ("ha-log", "heartbeat", "mailnode")

    def __init__(self, folder: Path, hub: Network, *, fencing: bool, deadtime_s: float) -> None:
        self.folder, self.hub, self.root = folder, hub, folder / "shared"
        self.root.mkdir()
        lay_guard(self.root)
        self.users = ["user1", "user2"]
        self.plan = Plan(
            nodes=tuple(
                Node(name, f"10.92.0.{number}", SERVICE[name], SERVICE6[name])
                for number, name in enumerate(NAMES, 1)
            ),
            domain=DOMAIN,
            secret="a-secret-of-the-tests",
            link_nic="eth1",
            program=_PROGRAM,
        )
        if deadtime_s:
            self.plan = replace(self.plan, deadtime_s=deadtime_s)
        self._fencing = fencing
        self.machines = {name: self._machine(name) for name in NAMES}
        asyncio.run(
            fill_directory(
                Path(f"{self.machines['n1'].copies}{CONFIG}"),
                DOMAIN,
                [f"{user}@{DOMAIN}" for user in self.users],
                PASSWORD,
            )
        )
        # Last: what fails before would leave its thread behind.
        boards = {f"198.51.100.{n}": self.machines[name] for n, name in enumerate(NAMES, 1)}
        self.switch = PowerSwitch(folder / "power", boards)

    def _machine(self, name: str) -> Machine:
        (self.folder / name).mkdir()
        machine = Machine(name, self.folder / name)
        for file in self.files():
            if file.name.startswith(self.parts) and file.place.startswith("/"):
                machine.place(file.place, self._text(file), file.mode)
        (settings,) = (f for f in self.files() if f.name == f"mailnode/{name}.toml")
        machine.place(CONFIG, self._settings(name, settings.text))
        machine.place("/etc/mailnode/cluster.secret", "a secret that the nodes share\n", 0o600)
        python = f'#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m mailnode "$@"\n'
        machine.place(_PROGRAM, python, 0o755)
        tool = _IPMITOOL.format(folder=self.folder / "power")
        machine.place("/etc/mailnode/bin/ipmitool", tool, 0o755)
        return machine

    def files(self) -> list[Written]:
        """What ``mailnode cluster config`` writes for the pair."""
        return render(self.plan)

    def _text(self, file: Written) -> str:
        if self._fencing:
            return file.text.replace("#stonith_host", "stonith_host")
        return file.text

    def _settings(self, name: str, text: str) -> str:
        sections = tomllib.loads(text)
        own = self.folder / name
        sections["server"] |= {
            "hostname": f"{name}.{DOMAIN}",
            "workers": 2,
            "mail_dir": str(self.root),
            "state_dir": str(own / "state"),
            "drain_s": 5.0,
        }
        sections["tls"] = {"self_signed": True}
        sections["log"] = {"destination": "file", "file": str(own / "mail.log")}
        sections["directory"] = {"urls": [f"sqlite:///{self.folder}/directory.db"]}
        sections["imap"] = {"plaintext_login": True, "max_sessions_per_user_ip": 100}
        sections["queue"] = {"scan_s": 1, "first_retry_s": 1}
        return settings_text(sections, ["for a test"])

    # -- life ------------------------------------------------------------------------------------

    def boot(self, name: str) -> None:
        """Power on: network, then mailnode until it greets."""
        machine, number = self.machines[name], NAMES.index(name) + 1
        machine.boot()
        machine.link(self.hub, "br0", "eth0", f"10.91.0.{number}/24", f"fd91::{number}/64")
        machine.link(self.hub, "br1", "eth1", f"10.92.0.{number}/24")
        machine.net("ip", "route", "add", "default", "via", "10.91.0.254")
        (self.folder / "power" / f"198.51.100.{number}").write_text("on\n")
        self.start_mailnode(name)

    def start_mailnode(self, name: str) -> None:
        """As the machine's systemd would."""
        self.machines[name].start("mailnode", _PROGRAM, "serve", "--config", CONFIG)

    def start_manager(self, name: str) -> None:
        """The daemon that moves addresses, in the foreground of nobody; first what its service runs
        before it."""
        self.machines[name].run("/etc/ha.d/whole-messages")
        path = f"/etc/mailnode/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        self.machines[name].start("heartbeat", HEARTBEAT, "-f", PATH=path)

    def until_serving(self, name: str, within_s: float = 60) -> None:
        """Until its mailnode serves."""
        machine = self.machines[name]
        monitor = (_PROGRAM, "cluster", "monitor", "--config", CONFIG)
        machine.until("mailnode", monitor, "workers serve", within_s)

    def mailnode(self, name: str, *words: str, config: bool = True, fails: bool = False) -> str:
        """A command of mailnode, run on a node; with ``fails`` its status may be any."""
        more = ("--config", CONFIG) if config else ()
        return self.machines[name].run(_PROGRAM, *words, *more, fails=fails, within_s=150)

    def held(self, name: str) -> str:
        """Heartbeat's word for what the node holds, or that it is in transition."""
        return self.machines[name].run("cl_status", "rscstatus", fails=True).strip()

    def lease_events(self, name: str) -> list[str]:
        """What the node's log tells of its lease, in order."""
        lines = (self.folder / name / "mail.log").read_text().splitlines()
        found = [parse_logfmt(line) for line in lines]
        return [one.get("holding", "") for one in found if one["event"] == "lease"]

    def state(self, name: str, asked: str = "n2") -> str:
        """What a node says of another one's lease."""
        found = json.loads(self.mailnode(asked, "cluster", "status", "--json"))
        return next((one["state"] for one in found["nodes"] if one["node"] == name), "")

    def owner(self, address: str) -> list[str]:
        """The machines that are on and hold the address."""
        return [name for name, m in self.machines.items() if address in m.addresses()]

    def until(self, what: Callable[[], bool], why: str, within_s: float = 60) -> float:
        """Wait for it, telling the logs when it does not come; the seconds it took."""
        began = time.monotonic()
        while not what():
            assert time.monotonic() - began < within_s, f"{why}\n{self.logs()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def until_owned(
        self, *by: str, within_s: float = 60, also_frozen: tuple[str, ...] = ()
    ) -> float:
        """Until the first, second … service address is owned by these, and by them alone;
        machines that are frozen cannot let go."""
        wanted = dict(zip(NAMES, by, strict=True))

        def owned(address: str, name: str) -> bool:
            return [one for one in self.owner(address) if one not in also_frozen] == [name]

        return self.until(
            lambda: all(
                owned(SERVICE[home], name) and owned(SERVICE6[home], name)
                for home, name in wanted.items()
            ),
            f"the addresses are not owned by {wanted}",
            within_s,
        )

    def until_settled(self, within_s: float = 90) -> float:
        """Until the manager takes orders on every node that is on, in its own words."""
        return self.until(self.settled, "it does not settle", within_s)

    def settled(self) -> bool:
        """Whether nothing is under way."""
        alive = [name for name, machine in self.machines.items() if machine.is_on]
        return all(self.held(name) in ("local", "foreign", "all", "none") for name in alive)

    def start_nodes(self) -> None:
        """Mailnode on both, and then what moves addresses."""
        for name in NAMES:
            self.boot(name)
        for name in NAMES:
            self.until_serving(name)
        for name in NAMES:
            self.start_manager(name)

    def start(self) -> None:
        """Both, until each serves its own address."""
        self.start_nodes()
        self.until_owned("n1", "n2")
        self.until_settled()

    def cut(self, name: str, *nics: str, up: bool = False) -> None:
        """Take its cables out, these or both, or put them back."""
        for nic in nics or ("eth0", "eth1"):
            self.hub.ip(f"link set {name}-{nic} {'up' if up else 'down'}")

    def logs(self) -> str:
        """What both Heartbeats and mailnodes wrote last."""
        return "\n".join(
            f"-- {name} {log}\n{machine.read(log)[-4000:]}"
            for name, machine in self.machines.items()
            for log in self.log_names
        )

    def findings(self) -> list[str]:
        """What the checker says of the whole mail root."""
        checker = Checker(self.root, SystemClock(), lock_timeout_s=20)
        return [str(one) for one in checker.everything()]

    def close(self) -> None:
        """Power everything off, whatever of it fails; nothing is left mounted."""
        with ExitStack() as steps:
            steps.callback(self.switch.close)
            for machine in self.machines.values():
                steps.callback(machine.power_off)
        assert str(self.folder) not in Path("/proc/mounts").read_text()


T = TypeVar("T", bound=Pair)


@contextmanager
def pair_of(
    kind: type[T], folder: Path, *, fencing: bool = True, deadtime_s: float = 0.0
) -> Iterator[T]:
    """A pair that is not started yet; nothing of it is left afterwards but ``folder``.
    ``deadtime_s``: Heartbeat's; 0 for what the configuration is shipped with."""
    with network("hub") as hub:
        _bridge(hub, 0, "10.91.0.254/24", "fd91::fe/64 nodad")
        _bridge(hub, 1, "10.92.0.254/24")
        pair = kind(folder, hub, fencing=fencing, deadtime_s=deadtime_s)
        try:
            yield pair
        finally:
            pair.close()


def _bridge(hub: Network, number: int, *addresses: str) -> None:
    # With a MAC of its own: without one it takes the lowest of its cables, and has another one,
    # which nobody knows, when that cable is gone.
    name, mac = f"br{number}", f"02:00:00:00:00:{number + 1:02}"
    hub.ip(f"link add {name} address {mac} type bridge stp_state 0 forward_delay 0")
    for address in addresses:
        hub.ip(f"addr add {address} dev {name}")
    hub.ip(f"link set {name} up")
