"""Commands for domains, mailboxes, aliases, passwords and admins, as a shell would call them."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailnode.admin.cli import main
from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.directory.build import open_directory
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.load import load_settings
from mailnode.runtime.tasks import Pool

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mailnode.toml"
    path.write_text(f'[directory]\nurls = ["sqlite:///{tmp_path}/d.db"]\n')
    return path


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; exit status, standard output, standard error."""
    monkeypatch.setenv("MAILNODE_CONFIG", str(config))

    def call(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mailnode", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            main()
            status = 0
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def document(result: tuple[int, str, str]) -> Any:
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def logged_in(config: Path, user: str, password: str) -> Mailbox | LoginFailure:
    async def work() -> Mailbox | LoginFailure:
        pool = Pool(1, "test")
        settings = load_settings(config).directory
        directory = await open_directory(
            settings=settings, pool=pool, clock=SystemClock(), log=NullLog()
        )
        try:
            return await directory.login(user, password, Service.IMAP, "127.0.0.1")
        finally:
            await directory.close()
            pool.close()

    return asyncio.run(work())


def test_a_mailbox_from_nothing_to_its_end(run: Run, config: Path) -> None:
    assert run("domain", "add", "a.test")[0] == 0
    typed = run("mailbox", "add", "u@a.test", "--password-stdin", "--json", typed="pw\n")
    assert document(typed) == {"username": "u@a.test", "done": "added"}
    assert isinstance(logged_in(config, "u@a.test", "pw"), Mailbox)
    made = document(run("passwd", "u@a.test", "--generate", "--json"))["password"]
    assert len(made) == 20
    assert isinstance(logged_in(config, "u@a.test", made), Mailbox)
    assert logged_in(config, "u@a.test", "pw") is LoginFailure.PASSWORD
    app = document(run("app-password", "add", "u@a.test", "phone", "--json"))["password"]
    assert isinstance(logged_in(config, "u@a.test", app), Mailbox)
    rows = document(run("app-password", "list", "u@a.test", "--json"))
    assert rows[0]["description"] == "phone"
    assert run("app-password", "delete", "u@a.test", str(rows[0]["id"]))[0] == 0
    assert logged_in(config, "u@a.test", app) is LoginFailure.PASSWORD
    assert run("mailbox", "edit", "u@a.test", "--inactive", "--no-smtp", "--quota-mb", "5")[0] == 0
    row = document(run("mailbox", "show", "u@a.test", "--json"))
    assert (row["active"], row["smtp_active"], row["quota_bytes"]) == (False, False, 5_120_000)
    assert logged_in(config, "u@a.test", made) is LoginFailure.INACTIVE
    assert run("mailbox", "delete", "u@a.test", "--yes")[0] == 0
    assert document(run("mailbox", "list", "--json")) == []


def test_a_quota_with_units(run: Run) -> None:
    run("domain", "add", "a.test")
    run("mailbox", "add", "u@a.test", "--quota", "1.5G", "--password-stdin", typed="pw\n")

    def quota() -> int:
        return int(document(run("mailbox", "show", "u@a.test", "--json"))["quota_bytes"])

    assert quota() == 3 << 29
    assert "1.5 GiB" in run("mailbox", "list")[1]
    for given, size in (("20000", 20_000), ("7 KiB", 7168), ("0", 0), ("2t", 2 << 40)):
        assert run("mailbox", "edit", "u@a.test", "--quota", given)[0] == 0
        assert quota() == size
    assert run("mailbox", "edit", "u@a.test", "--name", "U")[0] == 0
    assert quota() == 2 << 40
    for wrong in ("much", "-1", "1X", "1.G", "99999999T", "1e3", "٣M", ""):
        status, _, err = run("mailbox", "edit", "u@a.test", f"--quota={wrong}")
        assert status == 2, wrong
        assert "--quota" in err
    status, _, err = run("mailbox", "edit", "u@a.test", "--quota", "1M", "--quota-mb", "1")
    assert status == 2
    assert "not both" in err
    assert quota() == 2 << 40


def test_aliases_and_domains(run: Run) -> None:
    run("domain", "add", "a.test", "--aliases-to", "me@else.test", "--mailboxes", "3")
    run("domain", "edit", "a.test", "--inactive", "--description", "Ä")
    row = document(run("domain", "show", "a.test", "--json"))
    assert (row["active"], row["description"], row["mailboxes"]) == (False, "Ä", 3)
    run("alias", "add", "info@a.test", "x@else.test", "y@else.test")
    run("alias", "edit", "info@a.test", "z@else.test", "--inactive")
    row = document(run("alias", "show", "info@a.test", "--json"))
    assert (row["targets"], row["active"]) == (["z@else.test"], False)
    assert len(document(run("alias", "list", "--domain", "a.test", "--json"))) == 5
    run("alias", "delete", "info@a.test", "-y")
    assert "info" not in run("alias", "list")[1]
    run("alias-domain", "add", "b.test", "a.test")
    assert document(run("alias-domain", "list", "--json"))[0]["target_domain"] == "a.test"
    assert run("domain", "delete", "a.test", "--yes")[0] == 2
    assert run("alias-domain", "delete", "b.test", "--yes")[0] == 0
    assert run("domain", "delete", "a.test", "--yes")[0] == 0


def test_admins(run: Run) -> None:
    run("domain", "add", "a.test")
    made = document(run("admin", "add", "r@a.test", "--superadmin", "--generate", "--json"))
    assert made["password"]
    run("admin", "add", "d@a.test", "-d", "a.test", "--password-stdin", typed="pw\n")
    run("admin", "edit", "r@a.test", "--no-superadmin", "-d", "a.test", "--inactive")
    rows = document(run("admin", "list", "--json"))
    assert [(row["username"], row["superadmin"], row["active"]) for row in rows] == [
        ("d@a.test", False, True),
        ("r@a.test", False, False),
    ]
    assert document(run("admin", "show", "d@a.test", "--json"))["domains"] == ["a.test"]
    assert run("admin", "delete", "r@a.test", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mailbox", "add", "u@no.test", "--generate"], "not a domain here"),
        (["mailbox", "add", "nonsense", "--generate"], "looks like user@domain"),
        (["mailbox", "add", "u@a.test"], "--password-stdin or --generate"),
        (["mailbox", "add", "u@a.test", "--password-stdin"], "1 to 512 bytes"),
        (["mailbox", "show", "no@a.test"], "no such thing"),
        (["mailbox", "delete", "no@a.test", "--yes"], "not a mailbox"),
        (["passwd", "no@a.test", "--generate"], "not a mailbox"),
        (["domain", "add", "a..b"], "not a domain name"),
        (["domain", "delete", "no.test", "--yes"], "not a domain here"),
        (["alias", "edit", "x@a.test"], "--active or --inactive"),
        (["alias", "add", "x@a.test", "|prog"], "looks like user@domain"),
        (["admin", "add", "x@a.test", "--generate"], "--superadmin"),
        (["admin", "show", "x@a.test"], "no such thing"),
        (["app-password", "delete", "no@a.test", "1"], "not a mailbox"),
    ],
)
def test_mistakes_are_told_in_one_line(run: Run, arguments: list[str], words: str) -> None:
    run("domain", "add", "a.test")
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_dead_database_is_told_in_one_line(run: Run, config: Path) -> None:
    config.write_text('[directory]\nurls = ["mysql://u:hush@127.0.0.1:1/d"]\n')
    status, _, err = run("domain", "list")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "hush" not in err


def test_deleting_asks_first(run: Run) -> None:
    run("domain", "add", "a.test")
    assert run("domain", "delete", "a.test", typed="n\n")[0] == 1
    assert len(document(run("domain", "list", "--json"))) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("domain", "delete", "a.test"),
        ("alias-domain", "delete", "a.test"),
        ("mailbox", "delete", "u@a.test"),
        ("alias", "delete", "u@a.test"),
        ("admin", "delete", "u@a.test"),
        ("queue", "remove", "4f2c"),
        ("passwd", "u@a.test"),
        ("mailbox", "add", "u@a.test"),
    ],
)
def test_nobody_is_asked_before_it_is_known_that_there_are_settings(
    run: Run, config: Path, command: tuple[str, ...]
) -> None:
    config.unlink()
    status, out, err = run(*command, typed="y\n")
    assert status == 2
    assert str(config) in err
    assert "[y/N]" not in out + err
    assert "password" not in out + err


def test_terminal_codes_in_names_do_not_reach_the_terminal(run: Run) -> None:
    run("domain", "add", "a.test", "--description", "\x1b[31mred")
    assert "\x1b[31m" not in run("domain", "list")[1]
    assert "\x1b[31m" not in run("domain", "show", "a.test")[1]


def test_help_loads_no_database() -> None:
    code = (
        "import sys; sys.argv = ['mailnode', '--help']\n"
        "from mailnode.admin.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'twisted', 'passlib', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
