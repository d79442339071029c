"""Lines of the table of failures in docs/cluster.md that need no manager of addresses: what an
operator sees, and that what the table says helps. Each line names the tests that show it."""

from __future__ import annotations

import re
import signal
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailnode.store.guard import lay_guard
from tests.support.cluster_nodes import DOMAIN, ClusterWorld, Node, cluster_world
from tests.support.namespaces import checked, need_program

pytestmark = pytest.mark.timeout(240)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ClusterWorld]:
    with cluster_world(tmp_path) as found:
        yield found


def until(what: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def hears(asked: Node, other: str) -> bool:
    return any(one["node"] == other and one["heard"] for one in asked.status()["nodes"])


def monitor(node: Node, level: int = 0) -> tuple[int, str]:
    done = node.command("cluster", "monitor", "--level", str(level), "--within", "3")
    return done.returncode, done.stdout


# -- the table ---------------------------------------------------------------------------------


def table() -> list[list[str]]:
    page = (ROOT / "docs/cluster.md").read_text()
    section = page.partition("## When something fails")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]


@pytest.mark.parametrize("line", table(), ids=lambda line: line[0].split("**")[1])
def test_each_line_names_tests_that_are_there(line: list[str]) -> None:
    assert len(line) == 4
    shown = re.findall(r"`(tests/[\w/.]+)(?: -k (\w+))?`", line[3])
    assert shown or "no test" in line[3]
    for path, word in shown:
        place = ROOT / path
        files = [place] if place.is_file() else sorted(place.glob("test_*.py"))
        names = re.findall(r"def (test_\w+)", "\n".join(file.read_text() for file in files))
        assert names, path
        assert any(word in name for name in names), (path, word)


# -- its lines ---------------------------------------------------------------------------------


def test_nodes_whose_secrets_differ_do_not_hear_each_other(world: ClusterWorld) -> None:
    one, two = world.node("n1"), world.node("n2")
    for asked, other in ((one, "n2"), (two, "n1")):
        until(lambda asked=asked, other=other: hears(asked, other))
    right = two.sections["cluster"]["secret_file"]
    wrong = world.folder / "other-secret"
    wrong.write_text("a secret that nobody else has, as long as it has to be\n")
    wrong.chmod(0o600)
    two.stop()
    two.sections["cluster"]["secret_file"] = str(wrong)
    two.start()
    one.until_event("peer", of="n2", heard="no")
    until(lambda: one.status()["hints"]["refused"].get("forged", 0) > 0)
    table = one.command("cluster", "status").stdout
    assert re.search(r"^hints on, refused .*\d+ forged", table, re.MULTILINE)
    assert re.search(r"^ +n2 .* no ", table, re.MULTILINE)
    # All else works.
    two.send(subject="all the same")
    client = one.imap()
    client.select("INBOX")
    assert client.search(None, "SUBJECT", '"all the same"')[1] == [b"1"]
    client.logout()
    # The right one is read by a start, not by a reload.
    wrong.write_text(Path(str(right)).read_text())
    two.signal(signal.SIGHUP)
    two.until_event("reloaded")
    assert not hears(one, "n2")
    two.stop()
    two.start()
    until(lambda: hears(one, "n2") and hears(two, "n1"))


def test_a_mail_root_that_is_not_mounted_is_never_written_to(world: ClusterWorld) -> None:
    one = world.node("n1")
    away = world.folder / "away"
    world.root.rename(away)
    world.root.mkdir()
    until(lambda: monitor(one)[0] == 1)
    assert monitor(one)[1].startswith("storage: ")
    with smtplib.SMTP(one.host, one.ports["smtp"], timeout=30) as client:
        client.ehlo()
        client.mail(f"sender@{DOMAIN}")
        status, said = client.rcpt(f"user1@{DOMAIN}")
        if status == 250:
            status, said = client.data(b"Subject: no\r\n\r\nx\r\n")
        assert (status, said[:3]) == (451, b"4.3"), said
    one.stop()
    one.launch()
    # So that systemd tries again.
    assert one.wait() == 1
    last = one.events("storage")[-1]
    assert (last["reason"], "mount it" in last["remedy"]) == ("guard file missing", True)
    assert list(world.root.iterdir()) == []
    world.root.rmdir()
    away.rename(world.root)
    one.start()
    until(lambda: monitor(one, 10)[0] == 0)


@contextmanager
def disk_at(place: Path, image: Path) -> Iterator[None]:
    """A small ext4 there."""
    need_program("mkfs.ext4", "fsfreeze", "mount")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    checked(["mkfs.ext4", "-q", str(image)])
    done = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode()}")
    try:
        yield
    finally:
        checked(["umount", "-l", str(place)])


def test_storage_that_hangs_fails_the_monitor_in_time(tmp_path: Path) -> None:
    with cluster_world(tmp_path) as world, disk_at(world.root, tmp_path / "image"):
        lay_guard(world.root)
        one = world.node("n1")
        one.send(subject="before")
        assert monitor(one, 10)[0] == 0
        checked(["fsfreeze", "-f", str(world.root)])
        try:
            status, said = monitor(one, 10)
        finally:
            checked(["fsfreeze", "-u", str(world.root)])
        assert (status, "mail root: no answer within" in said) == (1, True), said
        until(lambda: monitor(one, 10)[0] == 0)
        one.send(subject="after")
        one.stop()
