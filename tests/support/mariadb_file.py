"""A private MariaDB server that runs with a configuration file which ``mailnode cluster config``
wrote, as it is but for addresses and for what makes a small server quick."""

from __future__ import annotations

from pathlib import Path

from tests.support.mariadb import MariaDb


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
        self._serve(f"--defaults-file={self._file}", *options)
