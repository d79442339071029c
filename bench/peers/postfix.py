"""Postfix as MX and submission server over MySQL tables, delivering to Dovecot by LMTP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_QUERIES = {
    "domains": "select 1 from domain where domain='%s' and active=1",
    "mailboxes": "select maildir from mailbox where username='%s' and active=1",
    "aliases": "select goto from alias where address='%s' and active=1",
}
_UNCHROOTED = re.compile(r"^(\S+\s+(?:unix|inet|unix-dgram)\s+\S+\s+\S+\s+)y", re.M)


class Postfix:
    """An instance with its own configuration and queue below ``folder``."""

    def __init__(self, folder: Path, sql_socket: Path, dovecot: Path) -> None:
        self._folder, self._sql, self._dovecot = folder, sql_socket, dovecot
        self._conf = folder / "conf"

    @property
    def pid(self) -> int:
        """The master process; 0 when there is none."""
        try:
            return int((self._folder / "queue" / "pid" / "master.pid").read_text())
        except (OSError, ValueError):
            return 0

    def start(self, ports: Mapping[str, int], certificate: Path) -> None:
        """Write the configuration and start."""
        for name in ("conf", "queue", "data"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(self._folder / "data", "postfix")
        for name, query in _QUERIES.items():
            (self._conf / f"mysql-{name}.cf").write_text(
                f"hosts = unix:{self._sql}\nuser = mail\npassword = mail\ndbname = mail\n"
                f"query = {query}\n"
            )
        for found in Path("/etc/postfix").glob("dynamicmaps.cf*"):
            copy = shutil.copytree if found.is_dir() else shutil.copy
            copy(found, self._conf / found.name)
        (self._conf / "main.cf").write_text(self._main(certificate))
        (self._conf / "master.cf").write_text(self._master(ports))
        self._run("start")

    def _main(self, certificate: Path) -> str:
        folder, maps = self._folder, f"proxy:mysql:{self._conf}/mysql"
        return f"""compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self._dovecot}/auth
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
smtpd_tls_security_level = may
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
default_process_limit = 200
message_size_limit = 52428800
virtual_mailbox_limit = 0
virtual_mailbox_domains = {maps}-domains.cf
virtual_mailbox_maps = {maps}-mailboxes.cf
virtual_alias_maps = {maps}-aliases.cf
virtual_transport = lmtp:unix:{self._dovecot}/lmtp
lmtp_destination_recipient_limit = 1
import_environment = MAIL_CONFIG={self._conf}
"""

    def _master(self, ports: Mapping[str, int]) -> str:
        found = Path("/etc/postfix/master.cf.proto")
        if not found.exists():
            found = Path("/usr/share/postfix/master.cf.dist")
        text = _UNCHROOTED.sub(r"\1n", found.read_text())
        # Programs that hand mail to other systems are none of ours.
        kept = text.partition("\nmaildrop")[0]
        kept = re.sub(r"^smtp +inet.*$", "", kept, flags=re.M)
        return f"""{kept}
127.0.0.1:{ports["smtp"]} inet n - n - - smtpd
127.0.0.1:{ports["submission"]} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""

    def owed(self) -> int:
        """Messages in the queue."""
        queue = self._folder / "queue"
        count = 0
        for name in ("maildrop", "incoming", "active", "deferred"):
            count += sum(len(names) for _, _, names in os.walk(queue / name))
        return count

    def _run(self, verb: str) -> None:
        # Its output goes to a file: the daemon keeps it open, which would hold a pipe for ever.
        with (self._folder / verb).open("wb") as said:
            command = ["postfix", "-c", str(self._conf), verb]
            done = subprocess.run(command, stdout=said, stderr=said, check=False, timeout=60)
        if done.returncode and verb == "start":
            reason = (self._folder / verb).read_text()
            raise SystemExit(f"Postfix does not start: {reason}")

    def stop(self) -> None:
        """End it."""
        if self.pid:
            self._run("stop")
