"""``docs/imap.md`` claims what the server offers, no more and no less, and each claim has tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from mailnode.directory import LoginFailure
from tests.support.imap_server import ImapServer, imap_server
from tests.support.tls_client import TlsClient
from tests.support.user_certificates import Authority

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "imap.md"


class Row(NamedTuple):
    rfc: str
    capability: str
    status: str
    tests: str
    notes: str


def rows() -> list[Row]:
    lines = TABLE.read_text().split("|---|---|---|---|---|\n")[1].splitlines()
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def offered(imap: ImapServer) -> set[str]:
    """Names without their values, before login (with TLS to be had and without) and after it."""
    found: set[str] = set()
    dialog = imap.dialog()
    for before in ("S: * OK", "C: b LOGIN user1 secret\nS: b OK"):
        dialog.play(before + "\nC: c CAPABILITY\nS~ \\* CAPABILITY (?P<names>.*)\nS: c OK")
        found |= set(dialog.variables["names"].split())
    return {re.sub("^(APPENDLIMIT|MESSAGELIMIT)=.*", r"\1", name) for name in found}


def offered_to_a_certificate(folder: Path) -> set[str]:
    """Under TLS, to a client with a certificate, where every way to log in is switched on."""
    authority = Authority(folder)
    with imap_server(shown=authority.server()) as server:
        server.gate.scram, server.gate.issuer = True, NoIssuer()
        user = authority.issue("Ann", ["user1@example.test"])
        client = TlsClient(server.tls_address, user=user)
        names = client.until("* OK [CAPABILITY ").partition("]")[0].split()
        client.close()
        return {name for name in names if name.startswith("AUTH=")}


class NoIssuer:
    scope = configuration = ""

    async def judge(self, token: str) -> str | LoginFailure:
        return LoginFailure.TOKEN


def test_what_is_offered_is_what_is_claimed(imap: ImapServer, tmp_path: Path) -> None:
    claimed = {row.capability for row in rows() if row.status == "yes" and row.capability}
    # Passwords are allowed in clear in this server, or no dialog could be read.
    found = offered(imap) | offered_to_a_certificate(tmp_path / "pki")
    assert found == claimed - {"LOGINDISABLED"}


def test_every_claim_has_tests() -> None:
    for row in rows():
        assert row.status in ("yes", "part", "no"), row
        if row.status != "no":
            folder = HERE / row.tests
            tests = "".join(path.read_text() for path in folder.glob("test_*.py"))
            assert "def test_" in tests, f"{row.capability or row.rfc}: no tests in {row.tests}"


def test_no_line_is_there_twice() -> None:
    names = [row.capability or row.rfc for row in rows()]
    assert sorted(names) == sorted(set(names))


def test_every_folder_of_imap_dialogs_is_in_the_table() -> None:
    folders = {
        path.parent.name
        for path in HERE.glob("rfc*/test_*.py")
        if "imap_server import" in path.read_text()
    }
    assert folders <= {row.tests for row in rows()}
