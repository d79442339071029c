"""Sessions of a running server hear at once what commands beside it change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.admin.cli import main
from tests.support.dialog import Client, Dialog
from tests.support.peopled_server import DOMAIN, PASSWORD, PeopledServer

pytestmark = pytest.mark.timeout(240)
OWNER, READER = f"user1@{DOMAIN}", f"user2@{DOMAIN}"
SHARED = f"Other Users/{OWNER}/Team"
Run = Callable[..., None]


class LoggedIn(Dialog):
    """Client 1 is the owner, the others are the reader."""

    def __init__(self, at: tuple[str, int]) -> None:
        super().__init__(at, {})
        self._at = at

    def client(self, number: str = "") -> Client:
        name = number or "1"
        if name not in self.clients:
            self.clients[name] = Client(self._at)
            user = OWNER if name == "1" else READER
            self.play(f'S{name}: * OK\nC{name}: l LOGIN {user} "{PASSWORD}"\nS{name}: l OK')
        return self.clients[name]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PeopledServer]:
    monkeypatch.setattr("tests.support.dialog.WAIT_S", 60.0)
    # No poll comes to help.
    server = PeopledServer(tmp_path, server={"poll_s": 3600})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def run(server: PeopledServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command, as a shell would."""
    monkeypatch.setenv("MAILNODE_CONFIG", str(server.config))

    def call(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["mailnode", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code

    return call


def test_lists_public_folders_import_and_repair(server: PeopledServer, run: Run) -> None:
    dialog = LoggedIn(("127.0.0.1", server.ports["imap"]))
    dialog.play(
        """
        C: a CREATE Team
        S: a OK
        C: b SELECT Team
        ...
        S: b OK
        C: c IDLE
        S: +
        C2: a NOTIFY SET (subtree ("Other Users" Public) (MessageNew MessageExpunge MailboxName))
        S2: a OK
        """
    )
    run("acl", "set", OWNER, "Team", READER, "lr")
    dialog.play(f'...2:\nS2: * LIST (\\HasNoChildren) "/" "{SHARED}"')
    run("public", "add", DOMAIN, "News")
    dialog.play('...2:\nS2: * LIST (\\HasNoChildren) "/" "Public/News"')
    mbox = server.folder / "old.mbox"
    mbox.write_bytes(b"From x Thu Jan  1 00:00:00 2026\nSubject: one\n\none\n")
    run("import", OWNER, str(mbox), "--folder", "Team")
    dialog.play(f'S: * 1 EXISTS\nS: * 1 RECENT\n...2:\nS2: * STATUS "{SHARED}" (UIDNEXT 2')
    # A file that nobody has recorded.
    folder = server.folder / "mail" / DOMAIN / "user1" / ".Team"
    (folder / "cur" / "1700000000.M1P1Q1.n1:2,").write_bytes(b"Subject: two\n\ntwo\n")
    run("store", "check", "--repair", OWNER)
    dialog.play("...\nS: * 2 EXISTS\n...2:\nS2: * STATUS")
    dialog.play(
        f"""
        C3: c SELECT "{SHARED}"
        ...3:
        S3: c OK [READ-ONLY]
        C3: d IDLE
        S3: +
        """
    )
    run("acl", "set", OWNER, "Team", READER, "lrw")
    dialog.play("S3: * OK [READ-WRITE]")
    run("acl", "delete", OWNER, "Team", READER)
    dialog.play("...3:\nS3: * BYE")
    dialog.close()
    assert server.faults() == []
