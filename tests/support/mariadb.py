"""A private MariaDB server for tests: Unix socket only, frozen or killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

BINARY = shutil.which("mariadbd") or shutil.which("mysqld") or "/usr/sbin/mariadbd"
CLIENT = shutil.which("mariadb") or shutil.which("mysql") or "/usr/bin/mariadb"
INSTALL = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
MISSING = (
    "MariaDB server is NOT installed: nothing was tested against a real MySQL "
    "(apt-get install mariadb-server)"
)


def installed() -> bool:
    """Whether a server program is there at all."""
    return Path(BINARY).exists() and Path(INSTALL).exists()


class MariaDb:
    """One server process. ``start`` returns when it answers; data survive ``kill``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", *self._user()]
        subprocess.run(
            [INSTALL, "--no-defaults", f"--datadir={self.folder / 'data'}", *options],
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        options = [
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-networking",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--skip-innodb-doublewrite",
            *self._user(),
        ]
        self._serve("--no-defaults", *options)

    def _serve(self, *options: str) -> None:
        """Start it with these options and wait until it answers; else nothing of it is left."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, *options], stdout=subprocess.DEVNULL, stderr=log
            )
        deadline = time.monotonic() + 60
        try:
            while not self._answers():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
                time.sleep(0.05)
        except BaseException:
            self.kill()
            raise

    def _user(self) -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    def _answers(self) -> bool:
        return subprocess.run(self._client("SELECT 1"), capture_output=True).returncode == 0

    def _client(self, sql: str, database: str = "") -> list[str]:
        command = [CLIENT, "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B"]
        return [*command, "-e", sql, *([database] if database else [])]

    def run(self, sql: str, database: str = "") -> str:
        """Run statements with the command-line client; its plain output."""
        done = subprocess.run(
            self._client(sql, database), check=True, capture_output=True, timeout=30
        )
        return done.stdout.decode()

    def url(self, database: str) -> str:
        return f"mysql://root@localhost/{database}?unix_socket={self.socket}"

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
