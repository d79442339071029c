"""Commands that work on a whole set-up machine, run as programs are: by their own entry point."""

from __future__ import annotations

import json
import mailbox
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mailnode
from tests.support.demo_server import demo_server
from tests.support.issuer import running_issuer

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command() -> Command:
    def run(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "mailnode", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def machine(tmp_path: Path, command: Command) -> dict[str, Any]:
    """What quickstart made below a folder."""
    done = command(
        *("quickstart", "example.org", "--root", tmp_path / "root", "--address", "192.0.2.9"),
        "--json",
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_quickstart_sets_up_and_says_what_to_add(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    assert machine["mailbox"] == "postmaster@example.org"
    assert len(machine["password"]) >= 12
    assert "mail.example.org. 3600 IN A 192.0.2.9" in machine["dns"]
    config = machine["config"]
    assert Path(config).stat().st_mode & 0o007 == 0
    assert "no errors" in command("config", "check", "-c", config).stdout
    rows = json.loads(command("mailbox", "list", "-c", config, "--json").stdout)
    assert [row["username"] for row in rows] == ["postmaster@example.org"]
    unit = tmp_path / "root/etc/systemd/system/mailnode.service"
    assert "ExecStart=" in unit.read_text()


def test_the_first_mailbox_gets_the_mail_every_domain_owes_an_ear(
    tmp_path: Path, command: Command
) -> None:
    words = ("quickstart", "example.org", "--root", tmp_path, "--user", "alice", "--json")
    config = json.loads(command(*words).stdout)["config"]
    rows = json.loads(command("alias", "list", "-c", config, "--json").stdout)
    led = {row["address"]: row["targets"] for row in rows if row["address"] != "alice@example.org"}
    names = ("abuse", "hostmaster", "postmaster", "webmaster")
    assert led == {f"{name}@example.org": ["alice@example.org"] for name in names}


def test_quickstart_never_replaces_settings_unasked(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    words = ("quickstart", "example.org", "--root", tmp_path / "root")
    assert "--force" in command(*words, status=2).stderr
    again = command(*words, "--force")
    assert "(the mailbox was there already)" in again.stdout
    assert Path(machine["config"] + ".old").exists()


@pytest.mark.parametrize("domain", ["example", "exa mple.org", "-x.org", "a..org", "@x.org", ""])
def test_quickstart_refuses_what_is_no_domain(
    domain: str, tmp_path: Path, command: Command
) -> None:
    done = command("quickstart", domain, "--root", tmp_path, status=2)
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_import_of_a_maildir_and_an_mbox_then_check_and_export(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    config, user = machine["config"], machine["mailbox"]
    source = mailbox.Maildir(str(tmp_path / "old"))
    for number in range(5):
        source.add(f"Subject: {number}\n\nbody {number}\n".encode())
    first = command("import", user, tmp_path / "old", "-c", config, "--json")
    assert json.loads(first.stdout)["stored"] == 5
    again = command("import", user, tmp_path / "old", "-c", config, "--json")
    assert json.loads(again.stdout) == {"user": user, "stored": 0, "skipped": 5, "problems": []}

    box = mailbox.mbox(str(tmp_path / "box"))
    box.add(b"Subject: in a box\n\nFrom here on.\n")
    box.close()
    done = command("import", user, tmp_path / "box", "--folder", "Old/Box", "-c", config)
    assert "1 messages stored" in done.stdout

    checked = json.loads(command("store", "check", "-c", config, "--json").stdout)
    assert checked == {"accounts": 1, "findings": []}
    lists = json.loads(command("store", "export-dovecot", user, "-c", config, "--json").stdout)
    assert {row["folder"]: row["messages"] for row in lists}["INBOX"] == 5
    assert all(Path(row["file"]).name == "dovecot-uidlist" for row in lists)


def test_what_cannot_be_imported_is_said_in_one_line(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    config, user = machine["config"], machine["mailbox"]
    (tmp_path / "text").write_text("no mail\n")
    # Not tmp_path itself: the machine's own Maildirs are below it, and would be found.
    (tmp_path / "empty").mkdir()
    for words in (
        (user, tmp_path / "missing"),
        (user, tmp_path / ("x" * 3000)),
        (user, tmp_path / "text"),
        (user, tmp_path / "empty"),
        ("nobody@example.org", tmp_path / "text"),
    ):
        done = command("import", *words, "-c", config, "--json", status=2)
        assert done.stderr.count("\n") == 1, done.stderr


def test_repair_mends_what_check_finds(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    config, user = machine["config"], machine["mailbox"]
    source = mailbox.Maildir(str(tmp_path / "old"))
    source.add(b"Subject: x\n\ny\n")
    command("import", user, tmp_path / "old", "-c", config)
    inbox = tmp_path / "root/var/lib/mailnode/mail/example.org/postmaster"
    next((inbox / "cur").iterdir()).rename(inbox / "tmp" / "hidden")
    found = command("store", "check", user, "-c", config, "--json", status=1)
    assert json.loads(found.stdout)["findings"]
    command("store", "check", "--repair", "-c", config)
    assert json.loads(command("store", "check", "-c", config, "--json").stdout)["findings"] == []


def test_doctor_names_what_is_wrong_and_the_remedy(
    machine: dict[str, Any], command: Command
) -> None:
    done = command("doctor", "-c", machine["config"], "--json", status=1)
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert checks["directory"]["well"]
    assert checks["mail root"]["well"]
    assert all(check["well"] or check["remedy"] for check in checks.values())


def test_doctor_looks_at_the_issuer_of_access_tokens(
    machine: dict[str, Any], tmp_path: Path, command: Command
) -> None:
    with running_issuer() as issuer:
        config = tmp_path / "with-issuer.toml"
        oauth = f'\n[oauth]\nissuer = "{issuer.url}"\naudience = ["mail"]\n'
        config.write_text(Path(machine["config"]).read_text() + oauth)
        for status, well in ((200, True), (503, False)):
            issuer.status = status
            done = command("doctor", "-c", config, "--json", status=1)
            checks = {check["what"]: check for check in json.loads(done.stdout)}
            assert checks["issuer"]["well"] is well
            assert bool(checks["issuer"]["remedy"]) is not well


def test_doctor_finds_a_demo_well(tmp_path: Path, command: Command) -> None:
    """Though its name is in no DNS, and the system chose its ports."""
    with demo_server(tmp_path / "demo", users=1) as instance:
        done = command("doctor", "-c", Path(instance.folder) / "mailnode.toml", "--json")
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert "trials" in checks["host name"]["found"]
    for service in ("smtp", "submission", "submissions", "lmtp", "imap", "pop3s"):
        host, port = instance.address(service)
        assert checks[f"{service} {host}:{port}"]["well"]


def test_an_empty_queue_is_listed_and_an_unknown_entry_is_said(
    machine: dict[str, Any], command: Command
) -> None:
    config = machine["config"]
    assert json.loads(command("queue", "list", "-c", config, "--json").stdout) == []
    for verb in ("show", "retry", "hold", "release"):
        assert "not in the queue" in command("queue", verb, "1ABC", "-c", config, status=2).stderr
    command("queue", "remove", "1ABC", "--yes", "-c", config, status=2)


@pytest.mark.parametrize(
    "words",
    [("store", "check"), ("queue", "list"), ("doctor",), ("mailbox", "list"), ("serve",)],
)
def test_a_missing_settings_file_is_one_line(
    words: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    done = command(*words, "-c", tmp_path / "none.toml", status=2)
    assert done.stderr.startswith(f"mailnode: {tmp_path}/none.toml: no such file")
    assert done.stderr.count("\n") == 1


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").stdout == f"mailnode {mailnode.__version__}\n"


def test_an_unknown_command_is_named_on_one_line(command: Command) -> None:
    assert command("nosuch", status=2).stderr == "mailnode: No such command 'nosuch'; see --help\n"
