"""A MariaDB for tests of what goes wrong with it: a user without special rights, as mail servers
have (``root`` may write where nobody else may), sessions that hold something, and a slow line.
"""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support import mariadb

USER, SECRET, NAME = "mail", "hush", "d"
OTHER = "other"  # somebody else's program, without a password
READY = "ready for the test"


@contextlib.contextmanager
def own_mariadb() -> Iterator[mariadb.MariaDb]:
    """A server of its own with an empty database ``d`` that the user ``mail`` owns."""
    # A short path, as the names of Unix sockets are limited.
    folder = Path(tempfile.mkdtemp(prefix="mn-out"))
    database = mariadb.MariaDb(folder)
    try:
        database.install()
        database.start()
        database.run(
            f"CREATE DATABASE {NAME}; CREATE USER {USER}@localhost IDENTIFIED BY '{SECRET}';"
            f"GRANT ALL ON {NAME}.* TO {USER}@localhost; CREATE USER {OTHER}@localhost;"
            f"GRANT SELECT ON {NAME}.* TO {OTHER}@localhost"
        )
        yield database
    finally:
        database.kill()
        shutil.rmtree(folder)


def url(database: mariadb.MariaDb, socket_path: Path | None = None) -> str:
    """The address for the user without special rights."""
    return f"mysql://{USER}:{SECRET}@localhost/{NAME}?unix_socket={socket_path or database.socket}"


class Session:
    """A client that stays, with the locks its statements took; by the command-line client."""

    def __init__(self, database: mariadb.MariaDb, user: str = "root") -> None:
        command = [mariadb.CLIENT, "--no-defaults", f"--socket={database.socket}", f"-u{user}"]
        self._process = subprocess.Popen(
            [*command, "-N", "-B", "-n", NAME],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def say(self, sql: str) -> None:
        """Begin statements, not waiting for their end."""
        assert self._process.stdin
        self._process.stdin.write(f"{sql};\n")
        self._process.stdin.flush()

    def run(self, sql: str) -> None:
        """Run statements; returns when they are done."""
        heard = self.answer(sql)
        assert READY in heard, heard

    def answer(self, sql: str) -> str:
        """All that is heard until the statements are done, or the client has gone."""
        with contextlib.suppress(BrokenPipeError):
            self.say(sql)
            self.say(f"SELECT '{READY}'")
        assert self._process.stdout
        heard = ""
        for line in self._process.stdout:
            heard += line
            if READY in line:
                break
        return heard

    def close(self) -> None:
        """End it, and with it all that it holds."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=20)


@contextlib.contextmanager
def session(database: mariadb.MariaDb, sql: str) -> Iterator[Session]:
    """A session that has run ``sql``."""
    found = Session(database)
    try:
        found.run(sql)
        yield found
    finally:
        found.close()


class SlowLine:
    """A Unix socket before a server's; what a client says arrives ``delay_s`` later."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name("slow")
        self.delay_s = 0.0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def _start(self, run: Callable[..., None], *pair: socket.socket) -> None:
        self._threads.append(threading.Thread(target=run, args=pair, daemon=True))
        self._threads[-1].start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._target))
                self._start(self._carry, client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, contextlib.suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client:
                        time.sleep(self.delay_s)
                    (server if source is client else client).sendall(data)

    def close(self) -> None:
        """Take no more connections; to be called when both ends of all others are closed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
        self.path.unlink()
