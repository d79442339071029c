"""When a node may begin: its lease, and storage whose locks can be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnode import main
from mailnode.cluster.mounts import Mount
from mailnode.cluster.secret import read_secret
from mailnode.model.errors import BadSettings, StorageGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.settings.load import Settings, load_settings
from mailnode.store.guard import lay_guard


def settings(root: Path, **cluster: object) -> Settings:
    return load_settings(
        None,
        {"server": {"mail_dir": str(root), "node": "n1", "drain_s": 0.1}, "cluster": cluster},
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay_guard(tmp_path)
    return tmp_path


def test_shared_storage_whose_locks_are_not_known_is_refused_unless_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Mount("/", "9p", frozenset({"rw"}))
    monkeypatch.setattr(main, "mount_of", lambda path: odd)
    with pytest.raises(BadSettings, match=r"9p \(rw\) is not known.*doctor --storage"):
        main._take_lease(settings(root, shared=True), SystemClock())
    assert list(root.iterdir()) == [root / "mailnode.store"]
    for allowed in (settings(root, shared=True, allow_unsafe_storage=True), settings(root)):
        lease = main._take_lease(allowed, SystemClock())
        assert lease is not None
        lease.release(0.0)


def test_shared_storage_whose_locks_keep_nobody_out_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "excludes_here", lambda path: False)
    with pytest.raises(BadSettings, match="does not keep another process out"):
        main._take_lease(settings(root, shared=True), SystemClock())


def test_without_the_guard_file_nothing_is_written(tmp_path: Path) -> None:
    assert main._take_lease(settings(tmp_path, shared=True), SystemClock()) is None
    assert list(tmp_path.iterdir()) == []


def test_shared_node_does_not_begin_without_a_lease_but_a_lone_one_does(root: Path) -> None:
    # Nothing can be made below a plain file.
    (root / ".mailnode").mkdir()
    (root / ".mailnode/nodes").touch()
    assert main._take_lease(settings(root), SystemClock()) is None
    with pytest.raises(StorageGone):
        main._take_lease(settings(root, shared=True), SystemClock())


def test_spool_and_poll_period_depend_on_whether_the_root_is_shared(root: Path) -> None:
    alone, shared = settings(root, poll_s=3), settings(root, shared=True, poll_s=3)
    assert (alone.spool_folder, alone.poll_s) == (alone.server.spool_dir, 30)
    assert (shared.spool_folder, shared.poll_s) == (root / ".mailnode/spool/n1", 3)


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("short", 0o600, "shorter than 16"),
        ("x" * 32, 0o644, "chmod 600"),
        (None, 0, "No such file"),
    ],
)
def test_bad_secret_is_named_with_its_remedy(
    tmp_path: Path, text: str | None, mode: int, why: str
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(BadSettings, match=why):
        read_secret(path)


def test_secret_is_read_without_blanks(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("  a secret of the nodes\n")
    path.chmod(0o600)
    assert read_secret(path) == b"a secret of the nodes"


@pytest.mark.parametrize(
    "nodes", [["n1"], ["n1 10.0.0.1"], ["n/1 10.0.0.1:1"], ["n1 *:1"], ["n1 /sock"], [7]]
)
def test_bad_node_is_refused(root: Path, nodes: list[object]) -> None:
    with pytest.raises(BadSettings, match=r"\[cluster\] nodes item 1"):
        settings(root, nodes=nodes)


def test_nodes_may_be_tables(root: Path) -> None:
    found = settings(root, nodes=[{"name": "n2", "address": "[fd00::2]:2410"}]).cluster.nodes
    assert [str(one) for one in found] == ["n2 [fd00::2]:2410"]
