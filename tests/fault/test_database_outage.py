"""The database killed or frozen under the running server: whom it knows goes on sending and
reading, whom it does not know is told to come again, and afterwards all is as before."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import shutil
import smtplib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mariadb
from tests.support.peopled_server import DOMAIN, PASSWORD, PeopledServer, until

pytestmark = [pytest.mark.fault, pytest.mark.mariadb, pytest.mark.timeout(120)]

# One worker, so that what it has cached is what the next connection meets.
SETTINGS: dict[str, dict[str, object]] = {
    "server": {"workers": 1},
    "login": {"failure_delay_s": 0},
}
DIRECTORY = {
    "cache_s": 0.2, "cache_negative_s": 0.1, "query_timeout_s": 1, "connect_timeout_s": 1
}  # fmt: skip
KNOWN, UNKNOWN = 0, 1


@pytest.fixture
def database() -> Iterator[mariadb.MariaDb]:
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    # A short path, as the names of Unix sockets are limited.
    folder = Path(tempfile.mkdtemp(prefix="mn-out"))
    database = mariadb.MariaDb(folder)
    try:
        database.install()
        database.start()
        database.run("CREATE DATABASE d")
        yield database
    finally:
        database.kill()
        shutil.rmtree(folder)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_known_users_go_on(tmp_path: Path, database: mariadb.MariaDb, how: str) -> None:
    directory = {"urls": [database.url("d")], **DIRECTORY}
    server = PeopledServer(tmp_path, **SETTINGS, directory=directory)
    server.start()
    try:
        server.send("before", KNOWN)
        for client in (server.imap(KNOWN), server.pop3(KNOWN)):
            client.quit() if isinstance(client, poplib.POP3) else client.logout()
        database.kill() if how == "killed" else database.freeze()
        _meanwhile(server)
        database.start() if how == "killed" else database.thaw()
        until(lambda: _says_again(server))
        _as_before(server)
    finally:
        if how == "frozen":
            database.thaw()
        server.stop()


def _meanwhile(server: PeopledServer) -> None:
    server.send("meanwhile", KNOWN)
    with server.imap(KNOWN) as box:
        assert box.append("INBOX", "", "", b"Subject: appended\r\n\r\nx\r\n")[0] == "OK"
    assert server.subjects(KNOWN) == ["before", "meanwhile", "appended"]
    server.pop3(KNOWN).quit()
    with server.smtp("submission") as client:
        client.login(server.users[KNOWN], PASSWORD)
    # Neither "user unknown" nor "wrong password" is known to be true.
    with server.smtp() as client:
        client.ehlo("x")
        client.mail("x@elsewhere.test")
        for local in ("user2", "nobody"):
            code, text = client.rcpt(f"{local}@{DOMAIN}")
            # RFC 3463 3.5: X.4.3 is a failure of the directory.
            assert (code, text[:5]) == (451, b"4.4.3"), text
        assert client.rcpt(server.users[KNOWN])[0] == 250
    _strangers_are_told_to_come_again(server)
    assert any("database" in one["remedy"] for one in server.events("database"))


def _strangers_are_told_to_come_again(server: PeopledServer) -> None:
    user = server.users[UNKNOWN]
    with (
        imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as box,
        pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"),
    ):
        box.login(user, PASSWORD)
    with contextlib.closing(poplib.POP3("127.0.0.1", server.ports["pop3"])) as pop:
        pop.user(user)
        with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
            pop.pass_(PASSWORD)
    with server.smtp("submission") as client:
        client.ehlo("x")
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login(user, PASSWORD)
        assert caught.value.smtp_code == 454


def _says_again(server: PeopledServer) -> bool:
    return any("answers again" in one["reason"] for one in server.events("database"))


def _as_before(server: PeopledServer) -> None:
    server.send("after", KNOWN, UNKNOWN)
    assert server.subjects(KNOWN)[-1] == "after"
    assert server.subjects(UNKNOWN) == ["after"]
    with server.smtp() as client:
        client.ehlo("x")
        client.mail("x@elsewhere.test")
        assert client.rcpt(f"nobody@{DOMAIN}")[0] == 550
    assert server.faults() == []
    server.check_store()
