"""Dovecot over the same tables: LMTP into Maildirs, IMAP, POP3, and logins for Postfix."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

ACCOUNT = "vmail"
# Each IMAP session in IDLE has an inotify instance of its own, all of them the same account's.
# Where the kernel gives no more, Dovecot looks only every half minute.
_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_ENOUGH = 20_000


@contextmanager
def enough_instances() -> Iterator[None]:
    """Allow as many as there may be sessions; as before at the end.
    Without the right to, nothing is done."""
    before = _INSTANCES.read_text()
    with ExitStack() as stack:
        if int(before) < _ENOUGH and os.access(_INSTANCES, os.W_OK):
            try:
                _INSTANCES.write_text(f"{_ENOUGH}\n")
                stack.callback(_INSTANCES.write_text, before)
            except OSError:
                pass  # a container that may not: idle sessions of Dovecot's hear late
        yield


class Dovecot:
    """An instance with everything below ``folder``."""

    def __init__(self, folder: Path, sql_socket: Path, mail: Path) -> None:
        self._folder, self._sql, self._mail = folder, sql_socket, mail
        self._conf = folder / "dovecot.conf"

    @property
    def pid(self) -> int:
        """The master process; 0 when there is none."""
        try:
            return int((self._folder / "run" / "master.pid").read_text())
        except (OSError, ValueError):
            return 0

    def start(self, ports: Mapping[str, int], certificate: Path) -> None:
        """Write the configuration and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["useradd", "-r", "-M", ACCOUNT], capture_output=True, check=False)
        self._mail.mkdir(parents=True, exist_ok=True)
        shutil.chown(self._mail, ACCOUNT)
        (self._folder / "sql.conf").write_text(
            f"driver = mysql\nconnect = host={self._sql} dbname=mail user=mail password=mail\n"
            "default_pass_scheme = SHA512-CRYPT\n"
            "password_query = SELECT username AS user, password FROM mailbox"
            " WHERE username='%u' AND active=1\n"
            "user_query = SELECT '%u' AS user FROM mailbox WHERE username='%u' AND active=1\n"
        )
        self._conf.write_text(self._text(ports, certificate))
        # Its output goes to a file: the daemon keeps it open, which would hold a pipe for ever.
        with (self._folder / "start").open("wb") as said:
            command = ["dovecot", "-c", str(self._conf)]
            done = subprocess.run(command, stdout=said, stderr=said, check=False)
        if done.returncode:
            reason = (self._folder / "start").read_text()
            raise SystemExit(f"Dovecot does not start: {reason}")

    def _text(self, ports: Mapping[str, int], certificate: Path) -> str:
        listeners = "\n".join(
            f"service {name}-login {{\n  inet_listener {name} {{\n    port = {ports[name]}\n  }}\n"
            f"  inet_listener {name}s {{\n    port = {ports[name + 's']}\n    ssl = yes\n  }}\n"
            "  service_count = 0\n  process_min_avail = 2\n}"
            for name in ("imap", "pop3")
        )
        folder = self._folder
        return f"""base_dir = {folder}/run
log_path = {folder}/log
protocols = imap pop3 lmtp
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:{self._mail}/%d/%n
mail_uid = {ACCOUNT}
mail_gid = {ACCOUNT}
first_valid_uid = 100
mail_fsync = optimized
auth_cache_size = 10M
auth_mechanisms = plain login
default_client_limit = 20000
default_process_limit = 5000
mail_max_userip_connections = 0
passdb {{
  driver = sql
  args = {folder}/sql.conf
}}
userdb {{
  driver = sql
  args = {folder}/sql.conf
}}
service anvil {{
  client_limit = 20003
}}
service auth {{
  client_limit = 20000
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
service imap {{
  process_limit = 5000
  vsz_limit = 2G
}}
service pop3 {{
  process_limit = 5000
}}
{listeners}
"""

    def stop(self) -> None:
        """End it."""
        if self.pid:
            subprocess.run(
                ["doveadm", "-c", str(self._conf), "stop"],
                capture_output=True,
                check=False,
                timeout=60,
            )
