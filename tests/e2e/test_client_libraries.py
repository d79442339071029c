"""IMAP client libraries that programs are built on, against the real program."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from imap_tools import AND, MailBox, MailMessageFlags
from imapclient import IMAPClient

from mailnode.admin.instance import Instance

pytestmark = pytest.mark.e2e
Run = Callable[..., str]
FLOW = Path(__file__).parent / "imapflow"


def _tls(server: Instance) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.certificate)
    context.check_hostname = False
    return context


def _imapclient(server: Instance, user: str) -> Any:
    host, port = server.address("imaps")
    client: Any = IMAPClient(host, port, ssl_context=_tls(server), timeout=30)
    client.login(user, server.password)
    return client


def test_imapclient_folders_and_searches(server: Instance) -> None:
    client = _imapclient(server, server.users[1])
    try:
        assert client.namespace().personal == (("", "/"),)
        assert client.id_({"name": "test"})[0]
        client.enable("CONDSTORE")
        client.create_folder("Größe & mehr")
        assert client.folder_exists("Größe & mehr")
        assert client.find_special_folder(b"\\Sent") == "Sent"
        client.select_folder("INBOX")
        client.append("INBOX", b"Subject: one\r\n\r\nhi\r\n", flags=[b"\\Seen"])
        more = [b"Subject: two\r\n\r\nx\r\n", {"msg": b"Subject: three\r\n\r\ny\r\n"}]
        client.multiappend("INBOX", more)
        assert client.search(["SUBJECT", "two"]) == [2]
        assert client.search(["TEXT", "größe"], "UTF-8") == []
        assert client.sort("REVERSE SUBJECT") == [2, 3, 1]
        assert client.thread() == ((1,), (2,), (3,))
        got = client.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "RFC822.SIZE", "MODSEQ"])
        assert got[1][b"ENVELOPE"].subject == b"one"
        assert got[1][b"RFC822.SIZE"] == 20
        changed = client.add_flags([1], [b"Work"])
        assert b"Work" in changed[1]
        client.copy([1], "Größe & mehr")
        client.move([2], "Archive")
        assert client.folder_status("Archive", ["MESSAGES"]) == {b"MESSAGES": 1}
        client.delete_messages([1])
        client.expunge()
        assert client.search() == [3]
        client.rename_folder("Größe & mehr", "weniger")
        client.unsubscribe_folder("weniger")
        assert "weniger" not in [name for _, _, name in client.list_sub_folders()]
        client.delete_folder("weniger")
    finally:
        client.logout()


def test_imapclient_is_told_while_idle(server: Instance) -> None:
    idler, writer = (_imapclient(server, server.users[2]) for _ in range(2))
    try:
        idler.select_folder("INBOX")
        idler.idle()
        writer.append("INBOX", b"Subject: pushed\r\n\r\nz\r\n")
        heard: list[object] = []
        while (1, b"EXISTS") not in heard:
            more = idler.idle_check(timeout=30)
            assert more, f"nothing more after {heard}"
            heard += more
        idler.idle_done()
    finally:
        idler.logout()
        writer.logout()


def test_imap_tools_reads_other_alphabets_and_moves(server: Instance) -> None:
    host, port = server.address("imaps")
    letter = (
        b'Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=\r\nFrom: "Jo" <jo@example.test>\r\n'
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=koi8-r\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + "привет\r\n".encode("koi8-r")
    )
    box = MailBox(host, port, ssl_context=_tls(server), timeout=30)
    with box.login(server.users[3], server.password):
        box.folder.create("Неделя")
        assert "Неделя" in [one.name for one in box.folder.list()]
        box.append(letter, "INBOX", flag_set=[MailMessageFlags.ANSWERED])
        for word in (AND(subject="Привет"), AND(text="ПРИВЕТ")):
            (found,) = box.fetch(word, charset="UTF-8", mark_seen=False)
            assert (found.subject, found.from_, found.text) == (
                "Привет",
                "jo@example.test",
                "привет\r\n",
            )
            assert MailMessageFlags.ANSWERED in found.flags
        box.flag(box.uids(), MailMessageFlags.FLAGGED, True)
        assert len(box.uids(AND(flagged=True))) == 1
        box.move(box.uids(), "Неделя")
        assert box.folder.status("INBOX")["MESSAGES"] == 0
        box.folder.set("Неделя")
        box.delete(box.uids())
        assert box.uids() == []
        box.folder.set("INBOX")
        box.folder.rename("Неделя", "Week")
        box.folder.delete("Week")


def _node_version() -> int:
    if not shutil.which("node"):
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.removeprefix("v").partition(".")[0])


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of imapflow and what it needs, as its lock file pins them."""
    if not shutil.which("npm") or _node_version() < 20:
        pytest.skip("imapflow wants Node.js 20 with npm; Debian 12's own is older")
    folder = tmp_path_factory.mktemp("imapflow")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FLOW / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", folder / "cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_imapflow_with_qresync_and_utf8(server: Instance, run: Run, modules: Path) -> None:
    host, port = server.address("imaps")
    facts = {"host": host, "port": port, "user": server.users[4], "password": server.password}
    facts |= {"ca": server.certificate, "modules": str(modules)}
    found = json.loads(run("node", str(FLOW / "session.mjs"), json.dumps(facts)))
    assert {"CONDSTORE", "QRESYNC", "UTF8=ACCEPT"} <= set(found["enabled"])
    assert found["special"]["\\Trash"] == "Trash"
    assert found["created"] == ["Проекты", "Проекты/Größe"]
    assert found["readOnly"] is False
    assert (found["seen"], found["byText"]) == ([1, 3, 5], [4])
    assert found["subjects"] == [f"flow {number}" for number in range(1, 6)]
    assert found["downloaded"] is True
    assert set(found["flags"]) == {"\\Flagged", "Work"}
    assert (found["pushed"], found["vanished"]) == (6, True)
    assert (found["movedUids"], found["copiedUids"]) == (1, 2)
    assert found["renamed"] == ["Projects", "Projects/Größe"]
    assert (found["status"]["messages"], found["status"]["uidNext"]) == (1, 2)
    assert found["left"] == 4
