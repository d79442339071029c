"""Makes what a server needs before its first start: account, folders, settings, first users."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mailnode.admin.cli.frame import CliError
from mailnode.admin.instance import settings_text, write_private
from mailnode.directory.passwords import hash_new
from mailnode.directory.registry import open_registry
from mailnode.runtime.settings.load import load_settings
from mailnode.store.guard import GUARD_NAME, lay_guard

ACCOUNT = "mailnode"
_UNIT = "mailnode.service"


def make_mail_root(root: Path) -> bool:
    """Have ``root`` as a mail root; whether it had to be made one. Raises ``OSError``."""
    there = (root / GUARD_NAME).exists()
    root.mkdir(parents=True, exist_ok=True, mode=0o750)
    lay_guard(root)
    return not there


async def fill_directory(
    config: Path, domain: str, users: Sequence[str], password: str
) -> list[str]:
    """Have the domain and these mailboxes in the directory; the mailboxes that were new.

    All get the same password, hashed once. A new domain's postmaster@, abuse@ and their kin lead
    to the first mailbox (RFC 5321 4.5.1, RFC 2142); a domain found is left as it is.
    Raises ``DirectoryGone``, ``BadSettings``.
    """
    settings = load_settings(config)
    async with open_registry(settings.directory) as registry:
        if await registry.domain(domain) is None:
            await registry.add_domain(domain, aliases_to=users[0] if users else "")
        there = {mailbox.username for mailbox in await registry.mailboxes(domain)}
        new = [user for user in users if user not in there]
        if new:
            await registry.add_mailboxes(new, hash_new(password))
        return new


def own_addresses() -> list[str]:
    """Addresses this machine uses towards the Internet, as far as it knows them."""
    found = []
    # Connecting a UDP socket sends nothing; the kernel only picks the source address.
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found or ["192.0.2.1"]


class Machine:
    """Where things go on a real machine; ``root`` other than ``/`` makes an image or a trial."""

    def __init__(self, root: Path, hostname: str) -> None:
        self._root = root.resolve()
        self._hostname = hostname
        self.config = self._below("/etc/mailnode/mailnode.toml")
        self._state = self._below("/var/lib/mailnode")

    def prepare(self, database: str, *, force: bool) -> list[str]:
        """Account, folders, settings and unit; what is left to do. Raises ``OSError``."""
        if self.config.exists():
            if not force:
                raise CliError(f"{self.config}: is there already; --force replaces it")
            shutil.copy2(self.config, self.config.with_suffix(".toml.old"))
        notes = [self._account()] if self._real else []
        for folder in (self._state, self._state / "spool", self.config.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        make_mail_root(self._state / "mail")
        certificate = Path(f"/etc/letsencrypt/live/{self._hostname}/fullchain.pem")
        text = settings_text(self._values(database, certificate), self._heading())
        write_private(self.config, text, 0o640)  # it may hold the database's password
        if not certificate.exists():
            notes.append(
                "the certificate is self-signed and mail clients will warn: get a real one "
                f"(such as by certbot for {self._hostname}), set [tls] in {self.config}"
            )
        notes.append(self._unit())
        return [note for note in notes if note]

    def hand_over(self) -> None:
        """Give the folders to the account that mailnode runs as."""
        if not self._real:
            return
        account = pwd.getpwnam(ACCOUNT)
        owner = (account.pw_uid, account.pw_gid)
        # No link is followed, to a folder neither: the account owns what is in here since the
        # first time, and may be making one right now.
        for _, _, names, folder in os.fwalk(self._state):
            os.fchown(folder, *owner)
            for name in names:
                os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
        # The account reads its settings and may enter their folder, which stays root's.
        for path in (self.config, self.config.parent):
            os.chown(path, 0, account.pw_gid)
        self.config.parent.chmod(stat.S_IMODE(self.config.parent.stat().st_mode) | 0o050)

    @property
    def _real(self) -> bool:
        return self._root == Path("/")

    def _below(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _values(self, database: str, certificate: Path) -> dict[str, dict[str, object]]:
        values: dict[str, dict[str, object]] = {
            "server": {
                "hostname": self._hostname,
                "mail_dir": str(self._state / "mail"),
                "state_dir": str(self._state),
                "spool_dir": str(self._state / "spool"),
                "run_dir": str(self._below("/run/mailnode")),
            },
            "directory": {"urls": [database or f"sqlite:///{self._state}/directory.db"]},
        }
        if certificate.exists():
            key = certificate.with_name("privkey.pem")
            values["tls"] = {"certificate": str(certificate), "key": str(key)}
        else:
            values["tls"] = {"self_signed": True}
        return values

    def _heading(self) -> list[str]:
        return [
            "Made by `mailnode quickstart`. Every other setting has its default;",
            "`mailnode config example` shows them all with their meaning.",
        ]

    def _account(self) -> str:
        try:
            grp.getgrnam(ACCOUNT)
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            command = ["useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin"]
            command += ["--home-dir", str(self._state), "--no-create-home", ACCOUNT]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CliError(f"useradd {ACCOUNT}: {done.stderr.strip()}") from None
            return f"the account {ACCOUNT} was made"
        return ""

    def _unit(self) -> str:
        source = _unit_source()
        if source is None:
            return "no systemd unit was found beside the program; start `mailnode serve` yourself"
        target = self._below(f"/etc/systemd/system/{_UNIT}")
        target.parent.mkdir(parents=True, exist_ok=True)
        program = _program()
        ours = re.compile(r"(?m)^(Exec\w+)=/usr/local/bin/mailnode ")
        target.write_text(ours.sub(lambda line: f"{line[1]}={program} ", source.read_text()))
        return "`systemctl daemon-reload && systemctl enable --now mailnode` starts it"


def _program() -> str:
    """The mailnode that runs now: with a virtual environment, another may be in the path."""
    beside = Path(sys.executable).with_name("mailnode")
    return str(beside) if beside.is_file() else shutil.which("mailnode") or str(beside)


def _unit_source() -> Path | None:
    """The unit file: installed beside the program, or in a checkout."""
    beside = Path(sys.prefix) / "share" / "mailnode" / "systemd" / _UNIT
    checkout = Path(__file__).parents[2] / "systemd" / _UNIT
    return next((path for path in (beside, checkout) if path.is_file()), None)
