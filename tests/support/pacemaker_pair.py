"""The two machines with Pacemaker and Corosync in Heartbeat's place.

They take ``config/pacemaker`` as it is written; ``fence_ipmilan``, whose package drags in half a
cloud, is a stand-in that asks the same boards.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.heartbeat_pair import Pair
from tests.support.namespaces import Network, why_no_namespaces, why_no_program

PROGRAMS = ("corosync", "pacemakerd", "cibadmin", "crm_mon", "crm_resource", "crm_verify")
_CIB = "/etc/mailnode/cib.xml"
# Where Pacemaker keeps what it was told last.
_KEPT = "/var/lib/pacemaker/cib"
# What Pacemaker asks of a fence agent: parameters as lines, the answer as exit status.
_FENCE = """#!/bin/sh
action=reboot
while read -r line; do
  case $line in ip=*) ip=${{line#*=}} ;; action=*) action=${{line#*=}} ;; esac
done
[ "$1" != -o ] || action=$2
case $action in
metadata)
  cat <<'END'
<?xml version="1.0" ?>
<resource-agent name="fence_ipmilan" shortdesc="Boards of the tests">
<longdesc>Boards of the tests</longdesc>
<parameters>
<parameter name="action"><content type="string" default="reboot"/></parameter>
<parameter name="ip" required="1"><content type="string"/></parameter>
<parameter name="username"><content type="string"/></parameter>
<parameter name="password_script"><content type="string"/></parameter>
<parameter name="lanplus"><content type="boolean"/></parameter>
</parameters>
<actions>
<action name="on"/><action name="off"/><action name="reboot"/><action name="status"/>
<action name="monitor"/><action name="metadata"/><action name="list"/>
</actions>
</resource-agent>
END
  ;;
off | reboot)
  echo "$ip" > {folder}/orders
  until grep -q off {folder}/$ip; do sleep 0.05; done
  ;;
on) exit 1 ;;
esac
exit 0
"""


def why_no_pacemaker() -> str:
    """Why such a pair cannot run here; empty where it can."""
    return why_no_namespaces() or why_no_program(*PROGRAMS)


class PacemakerPair(Pair):
    """As ``Pair``; ``load`` gives the cluster its resources."""

    parts = ("ocf/", "pacemaker/corosync.conf")
    log_names = ("corosync", "pacemakerd", "mailnode")

    def __init__(self, folder: Path, hub: Network, *, fencing: bool, deadtime_s: float) -> None:
        super().__init__(folder, hub, fencing=fencing, deadtime_s=deadtime_s)
        key = os.urandom(256).hex()
        fence = _FENCE.format(folder=folder / "power")
        for machine in self.machines.values():
            machine.place("/etc/corosync/authkey", key, 0o400)
            machine.place("/etc/mailnode/bin/fence_ipmilan", fence, 0o755)
            for file in self.files():
                if file.name == "pacemaker/cib.xml":
                    machine.place(_CIB, file.text)
                elif file.name.startswith("pacemaker/mailnode."):
                    machine.place(f"/etc/mailnode/{Path(file.name).name}", file.text, file.mode)

    def start_manager(self, name: str) -> None:
        """Corosync, and Pacemaker once it answers."""
        machine = self.machines[name]
        # Agents of fencing are looked for in /usr/sbin only, which the host's is not to become.
        machine.run(
            "sh",
            "-ec",
            "mkdir -p /run/sbin/upper /run/sbin/work;"
            "mkdir -p /var/log/corosync /var/log/pacemaker /var/log/crmsh;"
            "chown hacluster:haclient /var/log/pacemaker;"
            "mount -t overlay overlay"
            " -o lowerdir=/usr/sbin,upperdir=/run/sbin/upper,workdir=/run/sbin/work /usr/sbin;"
            "cp /etc/mailnode/bin/fence_ipmilan /usr/sbin/",
        )
        machine.start("corosync", "corosync", "-f")
        machine.until("corosync", ("corosync-cfgtool", "-s"), "nodeid")
        machine.start("pacemakerd", "pacemakerd", "-f")

    def load(self) -> None:
        """The shipped CIB, once both nodes are members."""
        self.until(lambda: self.online() == {"n1", "n2"}, "the nodes do not meet", 120)
        self.machines["n1"].run("cibadmin", "--replace", "--xml-file", _CIB)

    def online(self) -> set[str]:
        """The members, as n1 sees them."""
        said = self.machines["n1"].run("crm_mon", "-1", fails=True)
        found = re.search(r"Online: \[ (.*?) \]", said)
        return set(found[1].split()) if found else set()

    def start(self) -> None:
        """Both, until each serves its own address; nothing is known from an earlier start."""
        for machine in self.machines.values():
            for file in Path(f"{machine.copies}{_KEPT}").iterdir():
                file.unlink()
        self.start_nodes()
        self.load()
        self.until_owned("n1", "n2", within_s=120)
        self.until_settled()

    def settled(self) -> bool:
        """Whether the cluster's transition engine has nothing left to do."""
        on = next(machine for machine in self.machines.values() if machine.is_on)
        return "S_IDLE" in on.run("crmadmin", "-S", self.designated(on.name), fails=True)

    def resources(self) -> str:
        """The configured resources and constraints, without what counts changes."""
        one = self.machines["n1"]
        parts = (one.run("cibadmin", "-Q", "-o", part) for part in ("resources", "constraints"))
        return "\n".join(parts)

    def move(self, resource: str, node: str, *owners: str, within_s: float) -> None:
        """Move it there, wait for that, and leave no constraint behind: it is sticky."""
        one = self.machines["n1"]
        one.run("crm_resource", "--move", "--resource", resource, "--node", node)
        self.until_owned(*owners, within_s=within_s)
        self.until_settled(within_s)
        one.run("crm_resource", "--clear", "--resource", resource)

    def designated(self, asked: str) -> str:
        """The node that coordinates."""
        said = self.machines[asked].run("crmadmin", "-D", "-q", fails=True)
        return said.split()[-1] if said.split() else asked
