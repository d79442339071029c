"""The lab: two machines with DRBD, OCFS2, Heartbeat and mailnode, and what can happen to them."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.vm.console import CommandFailed, Done, GuestGone
from tests.vm.images import Images
from tests.vm.machine import Machine
from tests.vm.network import CLIENTS, STORAGE, networks, set_cable
from tests.vm.plan import MAIL, N1, N2, SPOTS, Spot

# Emulated machines on a host that does other things as well: several times what was measured.
STEP_S = 120.0
MAILNODE_S = 240.0
# A Heartbeat whose scripts spoiled each other's message waits for it for ever.
_HEARTBEAT_STARTS = 3
_CONFIG = "--config /etc/mailnode/mailnode.toml"


class Lab:
    """``machines`` by node name. ``fenced`` tells who was switched off and by whom."""

    def __init__(self, folder: Path, images: Images) -> None:
        self.fenced: list[tuple[str, str]] = []
        self._cut: set[str] = set()
        self.machines = {
            spot.name: Machine(spot, images, folder, self._boards_for(spot)) for spot in SPOTS
        }
        self.one, self.two = self.machines["n1"], self.machines["n2"]

    # -- both nodes, from bare disks to a running pair -----------------------------------------

    def bring_up(self) -> None:
        """As docs tell an operator to: storage, file system, mailnode."""
        self._boot()
        self.both("drbdadm create-md --force mail && drbdadm up mail && drbdadm wait-connect mail")
        self.one.say("drbdadm -- --clear-bitmap new-current-uuid mail")
        # One by one: DRBD refuses a change of state while the other node makes one.
        for machine in self.machines.values():
            machine.say("drbdadm primary mail")
        self.both("systemctl start drbd o2cb", STEP_S)
        self.one.say("sh /etc/ocfs2/mkfs.sh -q -F </dev/null", STEP_S)
        self.both("systemctl start srv-mailnode.mount", STEP_S)
        self.one.say(
            f"install -d -o mailnode -g mailnode -m 750 {MAIL} && "
            f"setpriv --reuid mailnode --regid mailnode --clear-groups "
            f"mailnode store init {_CONFIG}",
            STEP_S,
        )
        self.both("systemctl start mailnode", MAILNODE_S)  # mounts, for it requires that

    def power_returns(self) -> None:
        """Both were off; they start at the same moment."""
        self._boot()
        self.both("systemctl start drbd o2cb", STEP_S)
        self.both("systemctl start mailnode", MAILNODE_S)
        self.raise_addresses()

    def _boot(self) -> None:
        for machine in self.machines.values():
            machine.start()
        for machine in self.machines.values():
            machine.until_up()

    def raise_addresses(self) -> None:
        """Start Heartbeat on both and wait for each address at home. Raises ``AssertionError``."""

        def at_home() -> None:
            self.until_addresses({"n1": [N1], "n2": [N2]}, 120.0)
            self.until_settled()

        self._heartbeat_until(at_home)

    def _heartbeat_until(self, wait: Callable[[], object]) -> None:
        """Have Heartbeat run on both, and both anew where ``wait`` raises ``AssertionError``; the
        last time it is the caller's."""
        for left in reversed(range(_HEARTBEAT_STARTS)):
            self.both("systemctl start heartbeat", STEP_S)
            try:
                wait()
            except AssertionError as error:
                if not left:
                    raise
                print(f"Heartbeat is started anew: {error}")
                self._end_heartbeat()
            else:
                return

    def _end_heartbeat(self) -> None:
        """On both at once, so that neither takes the other one for dead. Asked to end, it would
        wait for what it waits for already."""
        self.both("systemctl kill -s KILL heartbeat; systemctl stop heartbeat")
        for machine in self.machines.values():
            for address in self.addresses(machine):
                machine.say(f"ip addr flush dev eth0 to {address}")

    def rejoin(self, machine: Machine) -> None:
        """Switch a machine on that was off: it synchronises, mounts and serves again."""
        machine.start()
        machine.until_up()
        machine.say("systemctl start drbd o2cb", STEP_S)
        machine.say("systemctl start mailnode", MAILNODE_S)
        self._heartbeat_until(self.until_settled)

    def both(self, command: str, timeout_s: float = STEP_S) -> list[str]:
        """The same on both at once; their outputs."""
        ends = [(m, m.say.start(command, timeout_s)) for m in self.machines.values()]
        found = [(machine, end()) for machine, end in ends]
        for machine, done in found:
            if done.status:
                raise CommandFailed(f"{machine.name}: {command}: {done.status}\n{done.output}")
        return [done.output for _, done in found]

    # -- what happens to them -------------------------------------------------------------------

    def cut_off(self, spot: Spot) -> None:
        """Pull both cables of a node. It reaches no board any more, either."""
        self._cut.add(spot.name)
        for link in (CLIENTS, STORAGE):
            set_cable(link, spot, plugged=False)

    def mend(self, spot: Spot) -> None:
        """Put its cables back."""
        self._cut.discard(spot.name)
        for link in (CLIENTS, STORAGE):
            set_cable(link, spot, plugged=True)

    def _boards_for(self, asker: Spot) -> Callable[[str], str]:
        """What ``asker`` hears when it says "off" or "status" and the address of a board."""

        def answer(question: str) -> str:
            order, _, address = question.strip().partition(" ")
            found = [spot.name for spot in SPOTS if spot.board == address]
            if asker.name in self._cut or not found:
                return "unreachable"
            machine = self.machines[found[0]]
            if order == "off":
                self.fenced.append((machine.name, asker.name))
                machine.power_off()
                return "Control: Down/Off"
            return f"is {'on' if machine.is_on else 'off'}"

        return answer

    # -- how they are ---------------------------------------------------------------------------

    def until(self, what: Callable[[], bool], within_s: float, reason: str) -> float:
        """Wait for it; the seconds it took."""
        began = time.monotonic()
        while not what():
            if time.monotonic() - began >= within_s:
                raise AssertionError(f"{reason}: not within {within_s:.0f} s\n{self._told()}")
            time.sleep(0.2)
        return time.monotonic() - began

    def addresses(self, machine: Machine) -> set[str]:
        """The service addresses a node has."""
        said = machine.say("ip -o addr show dev eth0 | awk '{ print $4 }' | cut -d/ -f1")
        services = {address for one in SPOTS for address in (one.service, one.service6)}
        return services & set(said.split())

    def until_addresses(self, expected: dict[str, list[Spot]], within_s: float = 180.0) -> float:
        """Wait until each node has these services, IPv4 and IPv6, and no other."""
        wanted = {
            name: {address for one in spots for address in (one.service, one.service6)}
            for name, spots in expected.items()
        }
        return self.until(
            lambda: all(self.addresses(self.machines[n]) == w for n, w in wanted.items()),
            within_s,
            f"addresses {expected}",
        )

    def until_settled(self) -> float:
        """Wait until Heartbeat takes orders on both, in its own words."""
        stable = {"local", "foreign", "all", "none"}
        return self.until(
            lambda: all(
                one.say.run("cl_status rscstatus").output.strip() in stable
                for one in self.machines.values()
            ),
            180.0,
            "Heartbeat settles",
        )

    def status(self, machine: Machine) -> Any:
        """What ``mailnode cluster status`` says there."""
        return json.loads(machine.say(f"mailnode cluster status --json {_CONFIG}", STEP_S))

    def mailnode(self, machine: Machine, words: str, timeout_s: float = MAILNODE_S) -> Done:
        """A ``mailnode`` command on a node."""
        return machine.say.run(f"mailnode {words} {_CONFIG}", timeout_s)

    def picture(self) -> str:
        """Where both stand, for whoever has to find out why."""
        told = self._ask_all(
            "uptime; free -m; cat /proc/drbd; mount | grep ocfs2; ip -br addr; "
            "systemctl --failed --no-legend; systemctl status mailnode --no-pager -n 12; "
            "dmesg | tail -n 20"
        )
        screens = [one.last_words() for one in self.machines.values()]
        return "\n".join([self._told(), told, *screens])

    def _told(self) -> str:
        """Heartbeat's side of it, short enough to stand in a failed test's message."""
        return self._ask_all(
            "cl_status rscstatus; ps -eo etimes,args | grep -i '[h]eartbeat\\|[m]ailnode cl';"
            " grep -v 'glib: [bu]' /var/log/ha-log | tail -n 40 | cut -c1-180"
        )

    def _ask_all(self, command: str) -> str:
        parts = []
        for machine in self.machines.values():
            parts.append(f"==== {machine.name} ({'on' if machine.is_on else 'off'})")
            if machine.is_on:
                with contextlib.suppress(GuestGone):
                    parts.append(machine.say.run(command, 30).output)
        return "\n".join(parts)

    def close(self) -> None:
        with contextlib.ExitStack() as steps:
            for machine in self.machines.values():
                steps.callback(machine.power_off)


@contextlib.contextmanager
def laboratory(images: Images) -> Iterator[Lab]:
    """A lab that ends, with all its machines and their disks."""
    with tempfile.TemporaryDirectory(prefix="mailnode-lab") as name, networks():
        lab = Lab(Path(name), images)
        try:
            yield lab
        finally:
            lab.close()
