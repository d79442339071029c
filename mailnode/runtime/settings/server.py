"""The ``[server]`` section: who this node is, its processes, its folders."""

from __future__ import annotations

import functools
import os
import re
import socket
from pathlib import Path

from pydantic import Field, field_validator

from mailnode.runtime.settings.section import Section

_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
# Goes into Maildir file names: no "/", ":" or "," (https://cr.yp.to/proto/maildir.html).
NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@functools.cache
def machine_hostname() -> str:
    """The machine's fully qualified name; looked up once, for it may ask a name server."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn()


class ServerSettings(Section):
    """This node: its name, its processes and its folders."""

    hostname: str = Field(
        default="",
        description="Name that the server greets with; must resolve to it in DNS. "
        'Empty: the name of the machine (see "hostname --fqdn").',
    )
    node: str = Field(
        default="",
        description="Short name of this node, part of message file names and of log lines; "
        "different on each node that shares the storage. Empty: first part of the machine's name.",
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Worker processes; 0 means one for each core."
    )
    keep_to_cores: bool = Field(
        default=True,
        description="Keep each worker to a core of its own where there are as many workers as "
        "cores; hashing passwords may use any. False where other programs are bound to cores.",
    )
    threads: int = Field(
        default=8, ge=2, le=256, description="Threads for disk and password work in each worker."
    )
    user: str = Field(
        default="",
        description="Account to run as once ports are bound, when started by root. "
        "Empty: stay who we are (systemd changes the account itself).",
    )
    group: str = Field(default="", description="Group to run as. Empty: the account's own group.")
    mail_dir: Path = Field(
        default=Path("/var/lib/mailnode/mail"),
        description="The mail root: Maildirs of all users, on the storage that nodes share.",
    )
    state_dir: Path = Field(
        default=Path("/var/lib/mailnode"),
        description="Node-local state that survives a restart: views, certificates made by us.",
    )
    run_dir: Path = Field(
        default=Path("/run/mailnode"),
        description="Node-local sockets between processes; may be empty at boot.",
    )
    spool_dir: Path = Field(
        default=Path("/var/lib/mailnode/spool"),
        description="Accepted messages that are still owed to a recipient. Never delete it. "
        "Not used on a shared mail root (cluster.shared), which has a spool for each node.",
    )
    drain_s: float = Field(
        default=20.0,
        gt=0,
        le=3600,
        description="Seconds that running transactions get when the server stops or reloads.",
    )
    stuck_s: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="A worker that gives no sign of life for so many seconds is replaced.",
    )
    poll_s: float = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="Open folders are looked at every so many seconds even if no change was told.",
    )

    @field_validator("hostname")
    @classmethod
    def _whole_hostname(cls, name: str) -> str:
        name = (name or machine_hostname()).rstrip(".").lower()
        if len(name) > 253 or not _HOSTNAME.fullmatch(name):
            raise ValueError('not a host name, write one like "mail.example.org"')
        return name

    @field_validator("node")
    @classmethod
    def _short_node(cls, name: str) -> str:
        name = name or socket.gethostname().partition(".")[0] or "node"
        if not NODE_NAME.fullmatch(name):
            raise ValueError('not a node name, use letters, digits, "-", "_" and "."')
        return name

    @field_validator("mail_dir", "state_dir", "run_dir", "spool_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        if not folder.is_absolute():
            raise ValueError("must be an absolute path")
        return folder

    @property
    def worker_count(self) -> int:
        """Worker processes to run."""
        return self.workers or len(os.sched_getaffinity(0))
