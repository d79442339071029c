"""From root to the account that mail belongs to."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from mailnode.model.errors import BadSettings
from mailnode.runtime.privileges import RunAs, run_as

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
SELF = pwd.getpwuid(os.geteuid()).pw_name

DROP = """
import json, os, sys
from pathlib import Path
from mailnode.runtime.privileges import run_as
account = run_as("nobody", sys.argv[2])
account.own([Path(sys.argv[1])])
account.drop()
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), back]))
"""


def test_no_account_means_stay() -> None:
    assert run_as("", "") is None
    assert run_as(SELF, "") is None


def test_unknown_account_or_group_is_named_with_a_remedy() -> None:
    with pytest.raises(BadSettings, match="no such account; make it with `useradd"):
        run_as("no-such-account", "")
    with pytest.raises(BadSettings, match=r"group = .no-such-group.: no such group"):
        run_as("nobody", "no-such-group")


def test_only_root_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(BadSettings, match="only root can change"):
        run_as("nobody", "")


def test_a_program_that_the_account_cannot_read_is_named_with_a_remedy(tmp_path: Path) -> None:
    account = RunAs("nobody", 1, 1)
    account.check_reads((__file__, None))
    missing = str(tmp_path / "missing.py")
    with pytest.raises(BadSettings, match=f"nobody.*cannot read {missing}.*such as /opt"):
        account.check_reads((__file__, missing))


@needs_root
def test_dropped_for_good_with_the_groups_of_the_account(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    command = [sys.executable, "-c", DROP, str(folder), "mail"]
    root = Path(__file__).parents[2]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    uids, gids, groups, back = json.loads(said)
    nobody, mail = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("mail").gr_gid
    assert uids == [nobody] * 3
    assert gids == [mail] * 3
    assert groups == [mail]
    assert not back
    assert (os.stat(folder).st_uid, os.stat(folder).st_gid) == (nobody, mail)
