"""A MariaDB of our own: one folder, one unix socket, no network, durable commits."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

_WAIT_S = 30.0


class MariaDb:
    """A server below ``folder``; ``stop`` ends it by its process."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Make the data folder where there is none, and serve."""
        self._folder.mkdir(parents=True, exist_ok=True)
        data = self._folder / "data"
        log = (self._folder / "log").open("ab")
        if not data.exists():
            command = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root"]
            command += ["--auth-root-authentication-method=normal"]
            done = subprocess.run(command, check=False, stdout=log, stderr=log)
            if done.returncode:
                said = (self._folder / "log").read_text(errors="replace")
                raise SystemExit(f"mariadb-install-db: {said[-500:]}")
        binary = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        command = [binary, "--no-defaults", "--user=root", f"--datadir={data}"]
        command += [f"--socket={self.socket}", "--skip-networking"]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + _WAIT_S
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise SystemExit(f"MariaDB does not start; see {self._folder}/log")
            time.sleep(0.1)

    def _answers(self) -> bool:
        command = ["mariadb", f"--socket={self.socket}", "-e", "select 1"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def sql(self, text: str, database: str = "") -> None:
        """Run statements."""
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}"]
        subprocess.run(
            [*command, *([database] if database else [])], input=text.encode(), check=True
        )

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
