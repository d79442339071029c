"""The passages of a cluster's configuration files that repeat for each node or address."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping

from mailnode.admin.cluster_plan import (
    DRBD_PING_S,
    DRBD_PING_TIMEOUT_TENTHS,
    HINT_PORT,
    Node,
    Plan,
)

# OCFS2 restarts a node whose disk heartbeat fails for (threshold - 1) * 2 seconds.
O2CB_THRESHOLD = 7
_O2CB_STEP_S = 2
# Service, port, what the server says first, and whether TLS comes before that.
_BALANCED = (
    ("smtp", 25, "^220", False),
    ("submission", 587, "^220", False),
    ("submissions", 465, "^220", True),
    ("imap", 143, "^\\* OK", False),
    ("imaps", 993, "^\\* OK", True),
    ("pop3", 110, "^\\+OK", False),
    ("pop3s", 995, "^\\+OK", True),
)


def values(plan: Plan) -> dict[str, str]:
    """What every file may name, the same for each node."""
    nodes, first = plan.nodes, plan.nodes[0]
    drbd_dead_s = DRBD_PING_S + DRBD_PING_TIMEOUT_TENTHS / 10
    facts: dict[str, object] = {
        "domain": plan.domain,
        "secret": plan.secret,
        "nic": plan.nic,
        "mount": plan.mount,
        "mount_unit": plan.mount_unit,
        "disk": plan.disk,
        "drbd_device": plan.drbd_device,
        "program": plan.program,
        "names": " ".join(node.name for node in nodes),
        "services4": " ".join(node.service for node in nodes),
        "names_listed": ", ".join(node.name for node in nodes),
        "first_name": first.name,
        "first_address": first.address,
        "first_service": first.service,
        "first_service6": first.service6,
        "keepalive_ms": round(plan.deadtime_s * 100),
        "warntime_ms": round(plan.deadtime_s * 500),
        "deadtime_ms": round(plan.deadtime_s * 1000),
        "initdead_s": f"{max(15, plan.deadtime_s * 2):g}",
        "failback": "on" if plan.auto_failback else "off",
        "stickiness": 0 if plan.auto_failback else 200,
        "drbd_ping_s": DRBD_PING_S,
        "drbd_ping_timeout_tenths": DRBD_PING_TIMEOUT_TENTHS,
        "drbd_dead_s": f"{drbd_dead_s:g}",
        "o2cb_threshold": O2CB_THRESHOLD,
        "o2cb_dead_s": (O2CB_THRESHOLD - 1) * _O2CB_STEP_S,
        "slots": len(nodes) + 1,
        "no_quorum": "ignore" if plan.is_pair else "stop",
        "two_node": "  two_node: 1\n  wait_for_all: 1" if plan.is_pair else "",
        "serial": 2024010101,
        "all_addresses": ",".join(node.address for node in nodes),
        "all_hostnames": ", ".join([*_hostnames(plan), f"mail.{plan.domain}"]),
        "directory_urls": json.dumps([_directory_url(plan, node) for node in nodes]),
        "cluster_nodes": json.dumps([f"{node.name} {_hint_address(node)}" for node in nodes]),
        "service_addresses": json.dumps(
            [one for node in nodes for one in (node.service, node.service6) if one]
        ),
        "site_names": " ".join(["mail", *(f"mx{number}" for number, _ in _numbered(plan))]),
    }
    repeated = {name: "\n".join(make(plan)) for name, make in _REPEATED.items()}
    return {name: str(value) for name, value in facts.items()} | repeated


def node_values(plan: Plan, node: Node) -> dict[str, str]:
    """What only the files of one node name."""
    number = plan.nodes.index(node) + 1
    writes = number == 1
    return {
        "me": node.name,
        "my_address": node.address,
        "my_number": str(number),
        "my_hostname": f"mx{number}.{plan.domain}",
        "my_hint_address": _hint_address(node),
        "replication_role": "the primary" if writes else "a replica",
        "read_only": "OFF" if writes else "ON",
        "vrrp_instances": "\n\n".join(_vrrp(plan, node)),
    }


def _numbered(plan: Plan) -> list[tuple[int, Node]]:
    return list(enumerate(plan.nodes, 1))


def _hostnames(plan: Plan) -> list[str]:
    return [f"mx{number}.{plan.domain}" for number, _ in _numbered(plan)]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _hint_address(node: Node) -> str:
    return f"{_bracketed(node.address)}:{HINT_PORT}"


def _directory_url(plan: Plan, node: Node) -> str:
    return f"mysql://mailnode:{plan.secret}@{_bracketed(node.address)}:3306/mailnode"


# -- Heartbeat, DRBD, OCFS2, fencing -----------------------------------------------------------


def _ucast(plan: Plan) -> list[str]:
    # The address of the node itself is left out by Heartbeat, so one file serves both. Heartbeat
    # binds to the interface it is told: it must be the one that leads to the address.
    return [f"ucast {plan.link_nic or plan.nic} {node.address}" for node in plan.nodes]


def _haresources(plan: Plan) -> list[str]:
    lines = []
    for node in plan.nodes:
        four = f"{node.service}/{plan.length}/{plan.nic}"
        # Heartbeat splits at "::", so an IPv6 address is written out.
        six = f"::{_long(node.service6)}/{plan.length6}" if node.service6 else ""
        lines.append(f"{node.name} mailnode::{four}{six}")
    return lines


def _long(address: str) -> str:
    return ":".join(
        f"{int(part, 16):x}" for part in ipaddress.ip_address(address).exploded.split(":")
    )


def _fence_cases(plan: Plan) -> list[str]:
    # 198.51.100.0/24 is for documentation (RFC 5737): nobody's board is reached by mistake.
    return [f"  {node.name}) board=198.51.100.{number} ;;" for number, node in _numbered(plan)]


def _own_address_cases(plan: Plan) -> list[str]:
    # Asked for by ARP, which IPv6 does not have.
    four = [node for node in plan.nodes if ":" not in node.address]
    return [f"    {node.name}) echo {node.address} ;;" for node in four] or ["    *) ;;"]


def _peer_cases(plan: Plan) -> list[str]:
    names = [node.name for node in plan.nodes[:2]]
    return [f"  {me}) peer={peer} ;;" for me, peer in zip(names, reversed(names), strict=True)]


def _drbd_on(plan: Plan) -> list[str]:
    lines = []
    for node in plan.nodes:
        kind = "ipv6 " if ":" in node.address else ""
        lines += [
            f"  on {node.name} {{",
            f"    address {kind}{_bracketed(node.address)}:7788;",
            "  }",
        ]
    return lines


def _ocfs2(plan: Plan) -> list[str]:
    # Tabs, and an empty line between the parts: o2cb reads nothing else.
    lines = ["cluster:", "\theartbeat_mode = local", f"\tnode_count = {len(plan.nodes)}"]
    lines += ["\tname = mailnode"]
    for number, node in enumerate(plan.nodes):
        lines += ["", "node:", f"\tnumber = {number}", "\tcluster = mailnode", "\tip_port = 7777"]
        lines += [f"\tip_address = {node.address}", f"\tname = {node.name}"]
    return lines


# -- HAProxy, VRRP, DNS ------------------------------------------------------------------------


def _haproxy(plan: Plan) -> list[str]:
    lines = []
    for name, port, greeting, tls in _BALANCED:
        lines += [f"listen {name}", f"  bind :::{port} v4v6", "  option tcp-check"]
        lines += [f"  tcp-check connect{' ssl' if tls else ''} send-proxy"]
        lines += [f"  tcp-check expect rstring {greeting}".replace(" OK", "\\ OK")]
        more = " verify none" if tls else ""
        lines += [f"  server {n.name} {_bracketed(n.address)}:{port}{more}" for n in plan.nodes]
        lines += [""]
    return lines


def _vrrp(plan: Plan, me: Node) -> list[str]:
    found = []
    for number, node in _numbered(plan):
        found.append(_vrrp_instance(plan, me, f"mailnode_{number}", 50 + number, node, four=True))
        if node.service6:
            name = f"mailnode6_{number}"
            found.append(_vrrp_instance(plan, me, name, 50 + number, node, four=False))
    return found


def _vrrp_instance(plan: Plan, me: Node, name: str, router: int, node: Node, *, four: bool) -> str:
    priority = 150 if me is node else 100 + len(plan.nodes) - plan.nodes.index(me)
    address = f"{node.service}/{plan.length}" if four else f"{node.service6}/{plan.length6}"
    lines = [f"vrrp_instance {name} {{", "  state BACKUP", f"  interface {plan.nic}"]
    lines += [f"  virtual_router_id {router}", f"  priority {priority}", "  advert_int 0.5"]
    lines += ["  version 3", "  virtual_ipaddress {", f"    {address} dev {plan.nic}", "  }"]
    lines += ["  track_script {", "    mailnode", "  }", "}"]
    return "\n".join(lines)


def _host_lines(name: str, node: Node) -> list[str]:
    lines = [f"{name}\tIN\tA\t{node.service}"]
    return lines + ([f"{name}\tIN\tAAAA\t{node.service6}"] if node.service6 else [])


def _ns(plan: Plan) -> list[str]:
    return [line for n, node in _numbered(plan)[:2] for line in _host_lines(f"ns{n}", node)]


def _mx(plan: Plan) -> list[str]:
    return [f"@\tIN\tMX\t10 {name}." for name in _hostnames(plan)]


def _hosts(plan: Plan) -> list[str]:
    return [line for n, node in _numbered(plan) for line in _host_lines(f"mx{n}", node)]


def _mail(plan: Plan) -> list[str]:
    return [line for node in plan.nodes for line in _host_lines("mail", node)]


# -- Corosync and Pacemaker ----------------------------------------------------------------------


def _corosync_nodes(plan: Plan) -> list[str]:
    lines = []
    for number, node in _numbered(plan):
        lines += ["  node {", f"    name: {node.name}", f"    nodeid: {number}"]
        lines += [f"    ring0_addr: {node.address}", "  }"]
    return lines


def _parameters(plan: Plan, node: Node) -> dict[str, str]:
    found = {"ip": node.service, "cidr": str(plan.length), "nic": plan.nic}
    if node.service6:
        found |= {"ip6": node.service6, "cidr6": str(plan.length6)}
    # By ip(8): some tenths of a second quicker in a takeover than through IPaddr2.
    return found | {"program": plan.program, "method": "ip"}


def _fence_parameters(number: int, node: Node) -> dict[str, str]:
    return {
        "ip": f"198.51.100.{number}",
        "username": "mailnode",
        "password_script": "/etc/mailnode/fence-password",
        "lanplus": "1",
        "pcmk_host_list": node.name,
        # Both ends of a cut link shoot; the first node's shot comes first.
        "pcmk_delay_base": "3s" if number == 1 else "0s",
    }


# Action, interval, timeout, depth.
_OPERATIONS = (
    ("start", 0, 60, 0),
    ("stop", 0, 60, 0),
    ("monitor", 5, 20, 0),
    ("monitor", 15, 30, 10),
)


def _pairs_xml(prefix: str, pairs: Mapping[str, str]) -> list[str]:
    lines = [f'        <instance_attributes id="{prefix}-parameters">']
    lines += [
        f'          <nvpair id="{prefix}-{name}" name="{name}" value="{value}"/>'
        for name, value in pairs.items()
    ]
    return [*lines, "        </instance_attributes>"]


def _operations_xml(prefix: str) -> list[str]:
    lines = ["        <operations>"]
    for action, interval, timeout, depth in _OPERATIONS:
        one = f"{prefix}-{action}-{depth}"
        head = f'<op id="{one}" name="{action}" interval="{interval}s" timeout="{timeout}s"'
        if not depth:
            lines.append(f"          {head}/>")
            continue
        lines += [f"          {head}>", f'            <instance_attributes id="{one}-depth">']
        lines += [
            f'              <nvpair id="{one}-level" name="OCF_CHECK_LEVEL" value="{depth}"/>'
        ]
        lines += ["            </instance_attributes>", "          </op>"]
    return [*lines, "        </operations>"]


def _cib_nodes(plan: Plan) -> list[str]:
    return [f'      <node id="{number}" uname="{node.name}"/>' for number, node in _numbered(plan)]


def _cib_resources(plan: Plan) -> list[str]:
    lines = []
    for number, node in _numbered(plan):
        lines += [f'      <primitive id="fence-{node.name}" class="stonith" type="fence_ipmilan">']
        lines += _pairs_xml(f"fence-{node.name}", _fence_parameters(number, node))
        lines += ["      </primitive>"]
    for number, node in _numbered(plan):
        name = f"mail-{number}"
        lines += [f'      <primitive id="{name}" class="ocf" provider="mailnode" type="node">']
        lines += _pairs_xml(name, _parameters(plan, node)) + _operations_xml(name)
        lines += ["      </primitive>"]
    return lines


def _cib_constraints(plan: Plan) -> list[str]:
    lines = []
    for number, node in _numbered(plan):
        lines.append(
            f'      <rsc_location id="home-{number}" rsc="mail-{number}" node="{node.name}"'
            ' score="100"/>'
        )
        lines.append(
            f'      <rsc_location id="not-itself-{number}" rsc="fence-{node.name}"'
            f' node="{node.name}" score="-INFINITY"/>'
        )
    return lines


def _words(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs.items())


def _crm(plan: Plan) -> list[str]:
    lines = []
    operations = " ".join(
        f"op {action} interval={interval}s timeout={timeout}s"
        + (f" OCF_CHECK_LEVEL={depth}" if depth else "")
        for action, interval, timeout, depth in _OPERATIONS
    )
    for number, node in _numbered(plan):
        fence = _words(_fence_parameters(number, node))
        lines.append(f"primitive fence-{node.name} stonith:fence_ipmilan params {fence}")
        lines.append(f"location not-itself-{number} fence-{node.name} -inf: {node.name}")
        given = _words(_parameters(plan, node))
        lines.append(f"primitive mail-{number} ocf:mailnode:node params {given} {operations}")
        lines.append(f"location home-{number} mail-{number} 100: {node.name}")
    return lines


def _pcs(plan: Plan) -> list[str]:
    lines = []
    operations = " ".join(
        f"{action} interval={interval}s timeout={timeout}s"
        + (f" OCF_CHECK_LEVEL={depth}" if depth else "")
        for action, interval, timeout, depth in _OPERATIONS
    )
    for number, node in _numbered(plan):
        fence, given = _words(_fence_parameters(number, node)), _words(_parameters(plan, node))
        lines.append(f"pcs stonith create fence-{node.name} fence_ipmilan {fence}")
        lines.append(f"pcs constraint location fence-{node.name} avoids {node.name}")
        lines.append(f"pcs resource create mail-{number} ocf:mailnode:node {given} op {operations}")
        lines.append(f"pcs constraint location mail-{number} prefers {node.name}=100")
    return lines


_REPEATED: dict[str, Callable[[Plan], list[str]]] = {
    "ucast_lines": _ucast,
    "node_lines": lambda plan: [f"node {node.name}" for node in plan.nodes],
    "haresources_lines": _haresources,
    "fence_cases": _fence_cases,
    "own_address_cases": _own_address_cases,
    "peer_cases": _peer_cases,
    "drbd_on_lines": _drbd_on,
    "ocfs2_conf": _ocfs2,
    "haproxy_sections": _haproxy,
    "ns_records": _ns,
    "mx_records": _mx,
    "host_records": _hosts,
    "mail_records": _mail,
    "corosync_nodes": _corosync_nodes,
    "cib_nodes": _cib_nodes,
    "cib_resources": _cib_resources,
    "cib_constraints": _cib_constraints,
    "crm_lines": _crm,
    "pcs_lines": _pcs,
}
