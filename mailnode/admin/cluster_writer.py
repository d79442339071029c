"""Writes a cluster's configuration files from a plan and the templates beside this module.

Promises: the same plan gives the same bytes; every placeholder has a value; a file that tells a
secret is readable by its owner only; scripts can be run.
Fails: ``OSError`` where the folder cannot be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mailnode.admin.cluster_plan import Plan
from mailnode.admin.cluster_values import node_values, values

TEMPLATES = Path(__file__).with_name("cluster_files")
_PLACE = re.compile(r"@@([a-z0-9_]+)@@")
_NODE = "NODE"
_SECRET = "@@secret@@"
# Of two nodes exactly: DRBD 8.4, Heartbeat's haresources.
_PAIR_ONLY = ("drbd/", "heartbeat/", "fencing/stonith-mailnode")

# Where each file belongs on a node.
PLACES = {
    "ocf/mailnode": "/usr/lib/ocf/resource.d/mailnode/node",
    "heartbeat/ha.cf": "/etc/ha.d/ha.cf",
    "heartbeat/haresources": "/etc/ha.d/haresources",
    "heartbeat/authkeys": "/etc/ha.d/authkeys",
    "heartbeat/mailnode": "/etc/ha.d/resource.d/mailnode",
    "heartbeat/mailnode-ha": "/etc/default/mailnode-ha",
    "heartbeat/whole-messages": "/etc/ha.d/whole-messages",
    "heartbeat/service.conf": "/etc/systemd/system/heartbeat.service.d/mailnode.conf",
    "fencing/fence": "/etc/mailnode/fence",
    "fencing/fence-password": "/etc/mailnode/fence-password",
    "fencing/stonith-mailnode": "/usr/lib/stonith/plugins/external/mailnode",
    "drbd/global_common.conf": "/etc/drbd.d/global_common.conf",
    "drbd/mail.res": "/etc/drbd.d/mail.res",
    "drbd/fence-peer": "/etc/mailnode/fence-peer",
    "drbd/only-in-copy": "/etc/mailnode/only-in-copy",
    "ocfs2/cluster.conf": "/etc/ocfs2/cluster.conf",
    "ocfs2/o2cb": "/etc/default/o2cb",
    "ocfs2/mkfs.sh": "is run once",
    "systemd/mail.mount": "/etc/systemd/system/@@mount_unit@@",
    "systemd/mailnode.service.d/cluster.conf": (
        "/etc/systemd/system/mailnode.service.d/cluster.conf"
    ),
    "mailnode/NODE.toml": "/etc/mailnode/mailnode.toml",
    "haproxy/haproxy.cfg": "/etc/haproxy/haproxy.cfg",
    "keepalived/NODE.conf": "/etc/keepalived/keepalived.conf",
    "bind/zone": "/etc/bind/db.@@domain@@",
    "mariadb/replication-NODE.cnf": "/etc/mysql/mariadb.conf.d/70-mailnode.cnf",
    "mariadb/replication.sql": "is read once",
    "mariadb/galera-NODE.cnf": "/etc/mysql/mariadb.conf.d/70-mailnode.cnf",
    "pacemaker/corosync.conf": "/etc/corosync/corosync.conf",
    "pacemaker/cib.xml": "`cibadmin --replace --xml-file`",
    "pacemaker/mailnode.crm": "`crm configure load update`",
    "pacemaker/mailnode.pcs.sh": "is run once",
    "two-sites/site.conf": "/etc/mailnode/site.conf",
    "two-sites/functions": "/etc/mailnode/site-functions",
    "two-sites/copy-to-other-site": "/etc/mailnode/copy-to-other-site",
    "two-sites/make-this-site-live": "/etc/mailnode/make-this-site-live",
    "two-sites/hand-over-to-other-site": "/etc/mailnode/hand-over-to-other-site",
    "two-sites/become-standby": "/etc/mailnode/become-standby",
    "two-sites/point-names-here": "/etc/mailnode/point-names-here",
    "two-sites/may-serve": "/etc/mailnode/may-serve",
    "two-sites/site-service.conf": "/etc/systemd/system/mailnode.service.d/site.conf",
    "two-sites/mailnode-copy.service": "/etc/systemd/system/mailnode-copy.service",
    "two-sites/mailnode-copy.timer": "/etc/systemd/system/mailnode-copy.timer",
}
_README = "README.md"


@dataclass(frozen=True, slots=True)
class Written:
    """A file: its name below the folder, where it belongs, on which node (empty: on all)."""

    name: str
    text: str
    mode: int
    place: str
    node: str = ""


def render(plan: Plan) -> list[Written]:
    """Every file of the cluster, in a fixed order."""
    common = values(plan)
    files = [one for name in PLACES if _fits(name, plan) for one in _of(name, plan, common)]
    rows = "\n".join(f"| `{f.name}` | {_shown(f.place)} | {f.node or 'all'} |" for f in files)
    readme = (TEMPLATES / _README).read_text()
    text = _fill(readme, common | {"file_rows": rows})
    return [Written(_README, text, 0o644, ""), *files]


def write(plan: Plan, folder: Path) -> list[Written]:
    """Render into ``folder``, replacing what is there. Raises ``OSError``."""
    files = render(plan)
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made anew rather than changed, so that a secret never lies open for a moment.
        path.unlink(missing_ok=True)
        path.touch(mode=file.mode & 0o700)
        path.write_text(file.text)
        path.chmod(file.mode)
    return files


def _fits(name: str, plan: Plan) -> bool:
    return plan.is_pair or not name.startswith(_PAIR_ONLY)


def _of(name: str, plan: Plan, common: dict[str, str]) -> Iterator[Written]:
    template = (TEMPLATES / name).read_text()
    mode = _mode(template, name)
    if _NODE not in PurePosixPath(name).name:
        yield Written(name, _fill(template, common), mode, _fill(PLACES[name], common))
        return
    for node in plan.nodes:
        mine = common | node_values(plan, node)
        own = name.replace(_NODE, node.name)
        yield Written(own, _fill(template, mine), mode, _fill(PLACES[name], mine), node.name)


def _mode(template: str, name: str) -> int:
    secret = _SECRET in template or "@@directory_urls@@" in template
    if template.startswith("#!"):
        return 0o700 if secret or name.startswith(("fencing/fence", "drbd/")) else 0o755
    return 0o600 if secret else 0o644


def _fill(template: str, given: dict[str, str]) -> str:
    return _PLACE.sub(lambda found: given[found[1]], template)


def _shown(place: str) -> str:
    return f"`{place}`" if place.startswith("/") else place
