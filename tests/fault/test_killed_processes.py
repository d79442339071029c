"""SIGKILL of workers and of the supervisor under a load of deliveries and IMAP changes:
every acknowledged message is there, every acknowledged flag is set, the checker is clean."""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import signal
import smtplib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mailnode.admin.instance import Instance
from tests.support import demo_server as demo

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
SENDERS = 4
ROUNDS = 3
MESSAGES_BETWEEN_KILLS = 40


class Load:
    """Senders and a flagger that go on through failures and keep what was acknowledged."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.stop = threading.Event()
        self.enough = threading.Semaphore(0)
        self.acknowledged: set[str] = set()
        self.flagged: set[int] = set()
        self.errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._send, args=(number,), daemon=True)
            for number in range(SENDERS)
        ] + [threading.Thread(target=self._flag, daemon=True)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def wait(self, messages: int) -> None:
        for _ in range(messages):
            assert self.enough.acquire(timeout=60), "no message was acknowledged for a minute"

    def _send(self, sender: int) -> None:
        number = 0
        while not self.stop.is_set():
            try:
                with smtplib.SMTP(*self.instance.address("smtp"), timeout=20) as client:
                    while not self.stop.is_set():
                        mark = f"{sender}-{os.getpid()}-{number}-{id(client)}"
                        number += 1
                        text = f"Subject: {mark}\r\n\r\nbody\r\n"
                        client.sendmail("x@elsewhere.test", self.instance.users, text)
                        self.acknowledged.add(mark)
                        self.enough.release()
            except (OSError, smtplib.SMTPException):
                self.stop.wait(0.05)

    def _flag(self) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                box = imaplib.IMAP4(*self.instance.address("imap"), timeout=20)
                try:
                    self._flag_on(box)
                finally:
                    box.shutdown()
            self.stop.wait(0.05)

    def _flag_on(self, box: imaplib.IMAP4) -> None:
        box.login(self.instance.users[0], self.instance.password)
        box.select("INBOX")
        while not self.stop.wait(0.02):
            _, found = box.uid("SEARCH", "UNFLAGGED")
            for uid in found[0].split()[:5] if found and found[0] else []:
                if box.uid("STORE", uid.decode(), "+FLAGS", "(\\Flagged)")[0] == "OK":
                    self.flagged.add(int(uid))
            box.noop()


def _subjects_and_flags(instance: Instance, user: str) -> tuple[list[str], set[int]]:
    imaplib._MAXLINE = 10_000_000  # type: ignore[attr-defined]
    with imaplib.IMAP4(*instance.address("imap"), timeout=60) as box:
        box.login(user, instance.password)
        box.select("INBOX")
        _, parts = box.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        subjects = [part[1].decode().strip()[9:] for part in parts if isinstance(part, tuple)]
        _, found = box.uid("SEARCH", "FLAGGED")
    return subjects, {int(uid) for uid in found[0].split()}


def _findings(instance: Instance) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "mailnode", "store", "check", "--json"]
    command += ["--config", str(Path(instance.folder) / "mailnode.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return found


def test_workers_and_supervisor_killed_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    process = demo.start(folder, users=3)
    try:
        instance = demo.facts(process, folder)
        with Load(instance) as load:
            for turn in range(ROUNDS):
                load.wait(MESSAGES_BETWEEN_KILLS)
                victim = demo.worker_pids(instance.pid)[turn % 2]
                os.kill(victim, signal.SIGKILL)
            load.wait(MESSAGES_BETWEEN_KILLS)
            orphans = demo.worker_pids(instance.pid)
            process.kill()
            process.wait()
            demo.wait_gone(orphans)
        with contextlib.suppress(AttributeError):
            process.stdout.close()  # type: ignore[union-attr]
        process = demo.start(folder, users=3)
        again = demo.facts(process, folder)
        for user in again.users:
            subjects, flagged = _subjects_and_flags(again, user)
            missing = load.acknowledged - set(subjects)
            assert not missing, f"{user}: {len(missing)} acknowledged messages are gone"
            if user == again.users[0]:
                assert load.flagged <= flagged
        assert _findings(again) == []
    finally:
        demo.stop(process)
