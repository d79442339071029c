"""A private Dovecot of one user, driven by doveadm alone: nothing listens.

Dovecot refuses to touch mail as root, so the mail belongs to the system's user ``mail`` and lies in
a folder of its own that this user may enter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

USER = "ann@example.test"
AVAILABLE = shutil.which("doveadm") is not None and os.geteuid() == 0
WHY_NOT = "needs doveadm (Debian: dovecot-imapd) and root"

_CONFIG = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
ssl = no
protocols =
mail_location = maildir:{mail}
mail_uid = mail
mail_gid = mail
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = root
default_internal_group = root
default_login_user = nobody
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/home
}}
"""


class Dovecot:
    """Its Maildir is ``mail``; end it with ``close``."""

    def __init__(self, below: str = "root/example.test/ann") -> None:
        self.base = Path(tempfile.mkdtemp(prefix="mailnode-dovecot-"))
        self.base.chmod(0o755)
        self.mail = self.base / below
        for part in ("run", "state", "home"):
            (self.base / part).mkdir()
        self.mail.mkdir(parents=True)
        self.give_back()
        self._config = self.base / "dovecot.conf"
        self._config.write_text(_CONFIG.format(base=self.base, mail=self.mail))

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.base)

    def give_back(self) -> None:
        """Let Dovecot own what root wrote."""
        subprocess.run(["chown", "-R", "mail:mail", self.mail, self.base / "home"], check=True)

    def doveadm(self, *words: str, stdin: bytes = b"") -> str:
        """Run a doveadm command for the user; raises with its error text."""
        done = subprocess.run(
            ["doveadm", "-c", self._config, *words],
            input=stdin,
            capture_output=True,
            cwd=self.base / "home",
            env={"PATH": os.environ["PATH"], "USER": USER, "HOME": str(self.base / "home")},
            check=False,
            timeout=30,
        )
        if done.returncode:
            raise AssertionError(f"doveadm {words}: {done.stderr.decode()}")
        return done.stdout.decode()

    def save(self, folder: str, raw: bytes) -> None:
        """Store a message."""
        self.doveadm("save", "-m", folder, stdin=raw)

    def messages(self, folder: str) -> dict[int, tuple[str, frozenset[str], int]]:
        """UID to subject, flags and keywords (without ``\\Recent``), size with CRLF."""
        text = self.doveadm(
            "-f", "tab", "fetch", "uid hdr.subject flags size.virtual", "mailbox", folder
        )
        found = {}
        for line in text.splitlines()[1:]:
            uid, subject, flags, size = line.split("\t")
            found[int(uid)] = (subject, frozenset(flags.split()) - {"\\Recent"}, int(size))
        return found

    def status(self, folder: str) -> dict[str, str]:
        """uidvalidity, uidnext and guid."""
        text = self.doveadm("mailbox", "status", "uidvalidity uidnext guid", folder)
        return dict(word.split("=") for word in text.split() if "=" in word)

    def subscriptions(self) -> set[str]:
        """Subscribed names."""
        return set(self.doveadm("mailbox", "list", "-s").splitlines())
