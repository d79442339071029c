"""The program's files change under a running server, as in an upgrade gone wrong: everything goes
on being answered, also by a worker that takes the place of a dead one."""

from __future__ import annotations

import imaplib
import os
import poplib
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mailnode
from mailnode.admin.instance import Instance
from tests.support import demo_server as demo

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
# Connections are spread over the workers by chance; so many reach each of two.
CLIENTS = 5


def _everything_answers(instance: Instance) -> None:
    user = instance.users[0]
    for number in range(CLIENTS):
        with smtplib.SMTP(*instance.address("smtp"), timeout=60) as client:
            client.sendmail("x@elsewhere.test", [user], f"Subject: {number}\r\n\r\nbody\r\n")
        with imaplib.IMAP4(*instance.address("imap"), timeout=60) as box:
            box.login(user, instance.password)
            assert box.select("INBOX")[0] == "OK"
            assert box.fetch("1", "(FLAGS ENVELOPE BODYSTRUCTURE)")[0] == "OK"
        drop = poplib.POP3(*instance.address("pop3"), timeout=60)
        drop.user(user)
        drop.pass_(instance.password)
        assert drop.stat()[0] > number
        drop.quit()


def test_files_that_change_under_a_running_server(tmp_path: Path) -> None:
    program = tmp_path / "program"
    package = shutil.copytree(
        Path(mailnode.__file__).parent,
        program / "mailnode",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    command = [sys.executable, "-B", "-m", "mailnode", "demo", "--json", "--dir", str(tmp_path)]
    command += ["--users", "1", "--port-base", "0", "--workers", "2"]
    with (tmp_path / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(program)},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        instance = demo.facts(process, tmp_path)
        for file in package.rglob("*.py"):
            file.write_text("def (\n")
        _everything_answers(instance)
        before = demo.worker_pids(instance.pid)
        os.kill(before[0], signal.SIGKILL)
        while before[0] in demo.worker_pids(instance.pid):
            time.sleep(0.05)
        _everything_answers(instance)
        after = demo.worker_pids(instance.pid)
        assert before[1] in after
        assert len(after) == 2, "no worker took the place of the dead one"
    finally:
        demo.stop(process)
