"""The same question as ``deliver`` put by another tool: postal, 20 connections at a time, up to
three messages on each, bodies of 0 to 8 KiB, to users by chance; without TLS (its own is too old).

It knows no end, so it is stopped; counted is what lies in the Maildirs until nothing is owed.
"""

from __future__ import annotations

import shutil
import smtplib
import subprocess
import time
from pathlib import Path

from bench.leftovers import working_folder
from bench.result import Figure, Result
from bench.scenarios.deliver import settle, stored
from bench.server import Server

SECONDS = 8.0
_WARM_UP_S = 2.0
_AT_ONCE = 50
# Messages a minute: as many as the server takes.
_NO_LIMIT = 1_000_000


def run(server: Server, seconds: float = SECONDS) -> Result:
    """Warm up, then measure."""
    if not shutil.which("postal"):
        raise SystemExit("postal is not installed: apt-get install postal")
    with working_folder("bench-postal-") as folder:
        users = folder / "users"
        users.write_text("\n".join(server.users) + "\n")
        _make_mailboxes(server)
        _send(server, users, _WARM_UP_S)
        before, cpu, began = stored(server.mail), server.cpu_s(), time.perf_counter()
        _send(server, users, seconds)
        taken, busy = time.perf_counter() - began, server.cpu_s() - cpu
    copies = stored(server.mail) - before
    figures = [
        Figure("delivered and durable", "msg/s", copies / taken),
        Figure("CPU", "ms/msg", busy / max(1, copies) * 1000, more=False),
    ]
    failures = [] if copies else ["nothing was delivered"]
    return Result("deliver-postal", server.name, figures, failures, {"connections": 20})


def _make_mailboxes(server: Server) -> None:
    """A message to everybody: mailboxes are made once."""
    with smtplib.SMTP(*server.address("smtp"), timeout=300) as client:
        for first in range(0, len(server.users), _AT_ONCE):
            to = server.users[first : first + _AT_ONCE]
            client.sendmail("sender@elsewhere.test", to, "Subject: first\r\n\r\none\r\n")
    settle(server)


def _send(server: Server, users: Path, seconds: float) -> None:
    host, port = server.address("smtp")
    command = ["postal", "-t", "20", "-c", "3", "-m", "8", "-r", str(_NO_LIMIT), "-p", str(port)]
    with (users.parent / "said").open("wb") as said:
        # It keeps a log in the folder that it is started in.
        tool = subprocess.Popen(
            [*command, host, str(users)], cwd=users.parent, stdout=said, stderr=said
        )
        try:
            tool.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise SystemExit(f"postal ended: {(users.parent / 'said').read_text()[-300:]}")
        finally:
            # It ends its connections at the end of a minute only when it is asked.
            tool.kill()
            tool.wait()
    settle(server)
