"""A private MariaDB server that runs with a configuration file which ``mailnode cluster config``
wrote, as it is but for addresses and for what makes a small server quick."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.support.mariadb import BINARY, MariaDb


class ConfiguredMariaDb(MariaDb):
    """``options`` come after the file, so they win."""

    def __init__(self, folder: Path, file: Path, *options: str) -> None:
        super().__init__(folder)
        self._file, self._options = file, options

    def start(self) -> None:
        options = [
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=8M",
            "--innodb-flush-method=nosync",
            *self._user(),
            *self._options,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, f"--defaults-file={self._file}", *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)
