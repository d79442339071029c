"""What quickstart leaves on a machine: a unit that starts this program, and nothing for others."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mailnode.admin import setup
from mailnode.admin.setup import Machine

UNIT = "etc/systemd/system/mailnode.service"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's mailnode, with another one in the path."""
    folder = tmp_path / "venv" / "bin"
    other = tmp_path / "path" / "bin"
    for place in (folder, other):
        place.mkdir(parents=True)
        (place / "mailnode").write_text("#!/bin/sh\n")
        (place / "mailnode").chmod(0o755)
    monkeypatch.setenv("PATH", f"{other}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(folder / "python3"))
    return folder / "mailnode"


def test_the_unit_starts_the_program_that_made_it(tmp_path: Path, program: Path) -> None:
    Machine(tmp_path / "root", "mail.example.org").prepare("", force=False)
    unit = tmp_path / "root" / UNIT
    orders = [line for line in unit.read_text().splitlines() if line.startswith("Exec")]
    assert orders == [
        f"ExecStart={program} serve --config /etc/mailnode/mailnode.toml",
        f"ExecReload={program} config check --config /etc/mailnode/mailnode.toml",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path, program: Path) -> None:
    Machine(tmp_path / "root", "mail.example.org").prepare("", force=False)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "root" / UNIT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    about_us = [line for line in done.stderr.splitlines() if "mailnode" in line]
    assert about_us == []


def test_settings_are_never_to_be_read_by_others(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    fchmod = os.fchmod

    def note(fd: int, mode: int) -> None:
        modes.append(os.fstat(fd).st_mode)
        fchmod(fd, mode)

    monkeypatch.setattr(setup, "settings_text", lambda *_: "secret")
    monkeypatch.setattr(os, "fchmod", note)
    before = os.umask(0)  # as lax as can be
    try:
        machine = Machine(tmp_path / "root", "mail.example.org")
        machine.prepare("", force=False)
        machine.config.chmod(0o644)  # an older one that was lax
        machine.prepare("", force=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(modes[0]) == 0o640
    assert stat.S_IMODE(machine.config.stat().st_mode) == 0o640
    assert machine.config.read_text() == "secret"


def test_hand_over_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account owns the folders since the first run, and may have put a link there."""
    precious = tmp_path / "precious"
    precious.touch()
    machine = Machine(tmp_path / "root", "mail.example.org")
    for folder in (machine._state, machine.config.parent):
        folder.mkdir(parents=True)
    machine.config.touch()
    (machine._state / "link").symlink_to(precious)
    own = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(Machine, "_real", True)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: own)
    chown, given = os.chown, list[tuple[str, bool]]()

    def note(
        path: str, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        given.append((os.path.basename(path), follow_symlinks))
        chown(path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "chown", note)
    machine.hand_over()
    assert ("link", False) in given
    assert [name for name, followed in given if followed] == ["mailnode.toml", "mailnode"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_account_may_read_its_settings_and_not_change_them(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    before = os.umask(0o077)  # as strict as can be
    try:
        machine = Machine(tmp_path / "root", "mail.example.org")
        machine.prepare("", force=False)
    finally:
        os.umask(before)
    monkeypatch.setattr(Machine, "_real", True)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: nobody)
    machine.hand_over()
    for path, mode in ((machine.config, 0o640), (machine.config.parent, 0o750)):
        facts = path.stat()
        assert (facts.st_uid, facts.st_gid) == (0, nobody.pw_gid), path
        assert stat.S_IMODE(facts.st_mode) == mode, path
