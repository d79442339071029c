"""What root does to a store of another account's leaves nothing that account may not read."""

from __future__ import annotations

import json
import mailbox
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# In no list of accounts: a number without a name must do, too.
OWNER = 54_321


# All modules at first: where this Python lies, another account may not be able to read it.
PROGRAM = """
import encodings.ascii, encodings.idna, encodings.latin_1, importlib, os, pkgutil, sys, mailnode
for one in pkgutil.walk_packages(mailnode.__path__, "mailnode."):
    if "__main__" not in one.name and ".migrations" not in one.name:
        importlib.import_module(one.name)
uid = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
from mailnode.admin.cli.app import main
main()
"""


def run(*words: str | Path, user: int = 0, status: int = 0) -> str:
    """A command of mailnode as a program of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(user), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to everybody, as what pytest makes is not."""
    if os.geteuid() != 0:
        pytest.skip("to give files to another account needs root")
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture
def config(folder: Path) -> Path:
    """A machine that quickstart set up, its state given to the owner as on a real one."""
    told = json.loads(run("quickstart", "example.org", "--root", folder / "root", "--json"))
    state = folder / "root/var/lib/mailnode"
    for one in (state, *state.rglob("*")):
        os.chown(one, OWNER, OWNER, follow_symlinks=False)
    config = Path(told["config"])
    config.chmod(0o644)
    config.parent.chmod(0o755)
    return config


def strangers(config: Path) -> list[Path]:
    """Files of the state that are not the owner's."""
    state = config.parents[2] / "var/lib/mailnode"
    return [one for one in state.rglob("*") if one.lstat().st_uid != OWNER]


def test_what_root_does_to_the_store_belongs_to_its_owner(config: Path, folder: Path) -> None:
    source = mailbox.Maildir(str(folder / "old"))
    for number in range(3):
        source.add(f"Subject: {number}\n\nbody\n".encode())
    for one in ((folder / "old"), *(folder / "old").rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    user = "postmaster@example.org"
    run("import", user, folder / "old", "-c", config)
    assert strangers(config) == []
    run("acl", "set", user, "INBOX", "anyone", "lr", "-c", config)
    run("acl", "index", "-c", config)
    run("public", "add", "example.org", "News", "-c", config)
    assert strangers(config) == []
    run("store", "skip-uids", "-c", config, "--by", "1000")
    assert strangers(config) == []
    inbox = config.parents[2] / "var/lib/mailnode/mail/example.org/postmaster"
    next((inbox / "cur").iterdir()).rename(inbox / "tmp" / "hidden")
    run("store", "check", "--repair", "-c", config)
    assert strangers(config) == []
    # And the service's account reads all of it.
    assert "nothing wrong" in run("store", "check", "-c", config, user=OWNER)


def test_doctor_leaves_all_to_the_owner_and_names_what_only_root_may_read(config: Path) -> None:
    def checks() -> dict[str, dict[str, object]]:
        told = json.loads(run("doctor", "-c", config, "--json", status=1))
        return {one["what"]: one for one in told}

    assert "readable" not in checks()
    assert strangers(config) == []
    config.chmod(0o600)
    found = checks()["readable"]
    assert not found["well"]
    assert str(config) in str(found["found"])
    assert f"chgrp {OWNER}" in str(found["remedy"])


def test_a_source_that_only_root_may_read_is_said_to_be_one(config: Path, folder: Path) -> None:
    source = mailbox.Maildir(str(folder / "old"))
    source.add(b"Subject: x\n\ny\n")
    (folder / "old").chmod(0o700)
    words = ("postmaster@example.org", folder / "old", "--json")
    said = run("import", *words, "-c", config, status=2)
    assert "the owner of the mail root must be able to read it" in said
    assert said.count("\n") == 1
