"""What a half of a split brain has that the other one lacks, as the shipped script finds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mailnode.admin.cluster_plan import Plan, parse_node
from mailnode.admin.cluster_writer import render

ANN = "example.org/ann"
PAIR = (parse_node("n1=10.0.0.1/192.0.2.25"), parse_node("n2=10.0.0.2/192.0.2.26"))
SCRIPT = next(
    file.text
    for file in render(Plan(nodes=PAIR, domain="example.org", secret="s"))
    if file.name == "drbd/only-in-copy"
)


def half(root: Path, *messages: str) -> Path:
    for message in messages:
        path = root / message
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    (root / "mailnode.store").write_text("id\n")
    return root


def run(copy: Path, store: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", SCRIPT, "only-in-copy", str(copy)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAILNODE_MAIL": str(store)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def left(copy: Path) -> set[str]:
    return {str(one.relative_to(copy)) for one in copy.rglob("*") if one.is_file()}


def test_what_both_halves_have_goes_and_folders_that_both_wrote_are_named(tmp_path: Path) -> None:
    kept = half(
        tmp_path / "kept",
        # Moved from new to cur, and with other flags.
        f"{ANN}/cur/1.a.n1:2,S", f"{ANN}/cur/2.b.n1:2,FS", f"{ANN}/new/3.only.n1",
        f"{ANN}/.Sent * it/cur/4.c.n1:2,", "example.org/ben/new/6.only.n1",
    )  # fmt: skip
    copy = half(
        tmp_path / "copy",
        f"{ANN}/new/1.a.n1", f"{ANN}/cur/2.b.n1:2,", f"{ANN}/new/3.only.n2",
        f"{ANN}/cur/1.a.n11:2,", f"{ANN}/.Sent * it/cur/4.c.n1:2,S",
        f"{ANN}/.Sent * it/new/5.only.n2", f"{ANN}/mailnode.journal",
    )  # fmt: skip
    before = left(kept)
    done = run(copy, kept)
    assert done.returncode == 0, done.stderr
    assert left(copy) == {
        f"{ANN}/mailnode.journal",
        f"{ANN}/new/3.only.n2",
        f"{ANN}/cur/1.a.n11:2,",
        f"{ANN}/.Sent * it/new/5.only.n2",
    }
    assert left(kept) == before
    assert done.stdout.splitlines() == [
        f"3 messages are only in {copy}",
        f"both halves took mail: {ANN}",
    ]
    # Once more it would take what was removed for what only the other half has.
    assert run(copy, kept).returncode == 1


@pytest.mark.parametrize("wrong", ["no mail root", "the mail root itself"])
def test_what_is_no_copy_is_left_alone(tmp_path: Path, wrong: str) -> None:
    kept = half(tmp_path / "kept", f"{ANN}/new/1.a")
    copy = tmp_path / "copy"
    if wrong == "no mail root":
        half(copy, f"{ANN}/new/1.a")
        (copy / "mailnode.store").unlink()
    else:
        copy.symlink_to(kept)
    before = left(kept)
    done = run(copy, kept)
    assert done.returncode == 1
    assert "mail root" in done.stderr
    assert left(kept) == before
    assert (copy / ANN / "new/1.a").exists()
