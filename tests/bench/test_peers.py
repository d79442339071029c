"""What is changed on the machine for the peer, and put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.peers import dovecot


@pytest.mark.parametrize(("before", "meanwhile"), [("128\n", "20000\n"), ("99999\n", "99999\n")])
def test_every_session_may_have_its_inotify_instance(
    before: str, meanwhile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tmp_path / "max_user_instances"
    setting.write_text(before)
    monkeypatch.setattr(dovecot, "_INSTANCES", setting)
    with dovecot.enough_instances():
        assert setting.read_text() == meanwhile
    assert setting.read_text() == before
