"""Commands for access control lists and public mailboxes, as a shell would call them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailnode.admin.cli import main
from mailnode.store.acl import Person
from mailnode.store.guard import lay_guard
from mailnode.store.shares import Shares
from tests.support.mail_store import findings

Run = Callable[..., tuple[int, str, str]]
ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    root.mkdir()
    lay_guard(root)
    return root


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; exit status, standard output, standard error."""
    config = root.parent / "mailnode.toml"
    config.write_text(
        f'[directory]\nurls = ["sqlite:///{root.parent}/d.db"]\n'
        f'[server]\nmail_dir = "{root}"\nstate_dir = "{root.parent}/state"\n'
    )
    monkeypatch.setenv("MAILNODE_CONFIG", str(config))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mailnode", *arguments])
        try:
            main()
            status = 0
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    assert call("domain", "add", "example.org")[0] == 0
    for user in (ANN, BOB):
        assert call("mailbox", "add", user, "--generate")[0] == 0
    return call


def document(result: tuple[int, str, str]) -> Any:
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_lists_are_set_shown_and_deleted(run: Run) -> None:
    assert document(run("acl", "set", ANN, "Sent", "bob", "lrc", "--json"))["rights"] == "lrkx"
    assert document(run("acl", "set", ANN, "Sent", "bob", "+s", "--json"))["rights"] == "lrskx"
    assert document(run("acl", "set", "--json", ANN, "Sent", "--", "bob", "-kx"))["rights"] == "lrs"
    assert run("acl", "set", ANN, "INBOX", "--", "-anyone", "w")[1] == (
        f"{ANN} INBOX: -anyone has w\n"
    )
    rows = document(run("acl", "list", ANN, "--json"))
    assert rows == [
        {"folder": "INBOX", "identifier": "-anyone", "rights": "w"},
        {"folder": "Sent", "identifier": BOB, "rights": "lrs"},
    ]
    assert document(run("acl", "list", ANN, "Sent", "--json")) == rows[1:]
    assert BOB in run("acl", "list", ANN)[1]
    assert run("acl", "delete", ANN, "Sent", BOB)[0] == 0
    assert run("acl", "delete", ANN, "INBOX", "--", "-anyone")[0] == 0
    assert document(run("acl", "list", ANN, "--json")) == []


def test_what_cannot_be_is_said(run: Run) -> None:
    for arguments, said in (
        (("set", ANN, "Sent", BOB, "lrz"), "rights are some of"),
        (("set", ANN, "Nowhere", BOB, "lr"), "no such mailbox"),
        (("set", ANN, "Sent", ANN, "lr"), "keeps it"),
        (("set", ANN, "Sent", "owner", "lr"), "keeps it"),
        (("set", ANN, "Sent", "mal@other.test", "lr"), "other domains"),
        (("set", "nobody@example.org", "Sent", BOB, "lr"), "no such mailbox"),
        (("set", "@example.org", "News", BOB, "lr"), "no public mailboxes yet"),
        (("delete", ANN, "Sent", BOB), "not in the list"),
        (("list", ANN, "Nowhere"), "no such mailbox"),
        (("list", ANN, "../x"), ""),
    ):
        status, _, err = run("acl", *arguments)
        assert status == 2
        assert said in err


def test_public_mailboxes(run: Run, root: Path) -> None:
    assert document(run("public", "list", "example.org", "--json")) == []
    assert run("public", "add", "Example.org", "News")[1] == "Example.org News: added\n"
    assert run("public", "add", "example.org", "Board/2027", "--rights", "")[0] == 0
    assert run("public", "add", "example.org", "News")[0] == 2
    assert run("public", "add", "example.org", "More", "--rights", "xyz")[0] == 2
    assert [row["folder"] for row in document(run("public", "list", "example.org", "--json"))] == [
        "Board/2027",
        "News",
    ]
    assert run("acl", "set", "@example.org", "News", ANN, "lrswite")[0] == 0
    rows = document(run("acl", "list", "@example.org", "--json"))
    assert {(row["identifier"], row["rights"]) for row in rows} == {
        ("anyone", "lrs"),
        (ANN, "lrswite"),
    }
    assert findings(root) == []
    status, out, _ = run("store", "check")
    assert (status, out) == (0, "1 accounts checked, nothing wrong\n")
    assert run("public", "delete", "example.org", "News", "--yes")[0] == 0
    assert run("public", "delete", "example.org", "News", "--yes")[0] == 2
    assert [row["folder"] for row in document(run("public", "list", "example.org", "--json"))] == [
        "Board/2027"
    ]


def test_index_is_made_from_the_lists(run: Run, root: Path) -> None:
    """As after moving here from Dovecot: its lists are there, and nobody knows of them yet."""
    assert run("acl", "set", ANN, "Sent", "bob", "lr")[0] == 0
    for path in sorted((root / ".mailnode/shares").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert document(run("acl", "index", "--json")) == {"accounts": 1}
    assert set(Shares(bytes(root)).sharers(Person(BOB), everywhere=False)) == {ANN}
