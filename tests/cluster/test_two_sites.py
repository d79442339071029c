"""Two sites without common storage: copy, failure, return and hand-over, with real rsync, a real
pair of MariaDB servers and a zone that ``named-checkzone`` judges."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.admin.setup import fill_directory
from tests.support.cluster_nodes import DOMAIN, PASSWORD
from tests.support.namespaces import checked, need_program
from tests.support.two_sites import ROOT, Site, two_sites

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def sites(tmp_path: Path, mariadb_data: Path) -> Iterator[tuple[Site, Site]]:
    need_program("rsync", "named-checkzone", "mariadb-dump", "bash")
    with two_sites(tmp_path, mariadb_data) as (one, two):
        one.script("make-this-site-live", "--other-site-is-off")
        two.script("become-standby")
        yield one, two


def names(site: Site) -> dict[str, list[str]]:
    """Addresses of the names that follow the live site, as the name server would read them."""
    said = checked(["named-checkzone", "-D", "-q", "-o", "-", "example.org", str(site.zone)])
    found: dict[str, list[str]] = {}
    for name, address in re.findall(
        r"^(mail|mx\d)\.example\.org\.\s.*\sA{1,4}\s+(\S+)$", said, re.M
    ):
        found.setdefault(name, []).append(address)
    return found


def serial(site: Site) -> int:
    said = checked(["named-checkzone", "example.org", str(site.zone)])
    match = re.search(r"serial (\d+)", said)
    assert match
    return int(match[1])


def add_user(site: Site, user: str) -> None:
    asyncio.run(fill_directory(site.config, DOMAIN, [f"{user}@{DOMAIN}"], PASSWORD))


def knows(site: Site, user: str) -> bool:
    sql = f"SELECT COUNT(*) FROM mailbox WHERE username = '{user}@{DOMAIN}'"
    return site.database.run(sql, "mailnode").strip() == "1"


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


A, B = ["192.0.2.25", "2001:db8::25"], ["203.0.113.25"]


def test_a_site_that_fails_is_replaced_and_taken_back(sites: tuple[Site, Site]) -> None:
    one, two = sites
    for number in range(3):
        one.send(f"copied {number}")
    one.script("copy-to-other-site")
    assert two.subjects() == ["copied 0", "copied 1", "copied 2"]
    for number in range(2):
        one.send(f"late {number}")
    add_user(one, "user2")
    until(lambda: knows(two, "user2"))
    before = serial(two)

    # Whole and alive: no second live site beside it by mistake.
    assert "is the standby" in two.script("may-serve", status=3)
    assert two.service("start") == 1
    assert "--other-site-is-off" in two.script("make-this-site-live", status=2)
    said = two.script("make-this-site-live", "--other-site-is-off", status=3)
    assert "greets clients" in said
    assert not (two.mail / ".mailnode-live").exists()

    one.kill()
    said = two.script("make-this-site-live", "--other-site-is-off")
    # What asynchrony costs is said: the age of the copy.
    assert re.search(r"The copy here is \d+ s old: what the other site accepted", said)
    assert two.subjects() == ["copied 0", "copied 1", "copied 2"]
    # UIDs 4 and 5 are known to clients as what the other site took last: they are left out here.
    assert two.uidnext() > 1_000_000
    assert names(two) == {"mail": B, "mx1": B, "mx2": B}
    assert serial(two) > before
    assert (two.folder / "zone-was-read").exists()
    two.send("meanwhile")
    two.send("to a new user", "user2")
    add_user(two, "user3")

    # It comes back and believes that it is live; it is not let.
    one.boot()
    assert "made live meanwhile" in one.script("may-serve", status=3)
    assert one.service("start") == 1
    assert "nothing is copied" in one.script("copy-to-other-site", status=3)
    said = one.script("become-standby")
    assert re.search(r"^2 messages are only here", said, re.M)
    until(lambda: knows(one, "user3"))
    assert one.zone.read_text() == two.zone.read_text()
    two.script("copy-to-other-site")
    assert one.subjects() == two.subjects() == ["copied 0", "copied 1", "copied 2", "meanwhile"]
    assert one.findings() == two.findings() == []

    # What only the first site had is brought over where mail is taken now.
    (aside,) = one.folder.glob("aside/*")
    assert "INSERT INTO" in (aside / "database.sql").read_text()
    (box,) = aside.glob("mail/**/user1")
    command = [sys.executable, "-m", "mailnode", "import", f"user1@{DOMAIN}", str(box)]
    checked([*command, "--config", str(two.config)], cwd=ROOT)
    late = ["late 0", "late 1", "meanwhile"]
    assert two.subjects() == ["copied 0", "copied 1", "copied 2", *late]

    # And back, by plan, with nothing lost: not even what came just before.
    two.send("at the last moment")
    two.script("hand-over-to-other-site")
    assert one.subjects() == ["at the last moment", "copied 0", "copied 1", "copied 2", *late]
    assert one.subjects("user2") == ["to a new user"]
    for site in sites:
        assert names(site) == {"mail": A, "mx1": A, "mx2": A}
        assert site.findings() == []
    assert one.uidnext() > 1_000_000
    one.send("home again")
    assert two.service("start") == 1
    assert (one.mail / ".mailnode-live").read_text().strip() == "3"
    # The standby follows again: the next change arrives there.
    add_user(one, "user4")
    until(lambda: knows(two, "user4"))


def test_force_makes_a_second_live_site_and_the_older_one_yields(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("copied")
    one.script("copy-to-other-site")
    # The link between the sites is cut; clients of both go on. A person decides, knowing that.
    said = two.script("make-this-site-live", "--other-site-is-off", "--force")
    assert "what the other site accepted" in said
    one.send("taken there")
    two.send("taken here")
    for site, other in ((one, two), (two, one)):
        assert "is live, too" in site.script("copy-to-other-site", status=3)
        assert "is live, too" in site.script("hand-over-to-other-site", status=3)
        assert other.subjects()
    assert "made live later" in two.script("become-standby", status=3)
    one.script("become-standby")
    two.script("copy-to-other-site")
    assert one.subjects() == two.subjects() == ["copied", "taken here"]
    (kept,) = one.folder.glob("aside/*/mail/**/user1/new/*")
    assert b"Subject: taken there" in kept.read_bytes()


def test_hand_over_that_fails_leaves_service_where_it_was(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("before")
    two.database.run("STOP SLAVE")
    said = one.script("hand-over-to-other-site", status=3)
    assert "does not follow ours: nothing was changed" in said
    two.database.run("START SLAVE")
    until(lambda: two.database.run("SELECT @@read_only").strip() == "1")
    # The other site cannot start its mailnode: this one goes on.
    (two.folder / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    said = one.script("hand-over-to-other-site", status=3)
    assert "mailnode does not start here" in said
    assert "this site goes on serving" in said
    assert not (two.mail / ".mailnode-live").exists()
    one.send("after")
    assert one.subjects() == ["after", "before"]


def test_site_that_cannot_be_reached_changes_nothing(sites: tuple[Site, Site]) -> None:
    one, two = sites
    (two.folder / "cut").touch()
    assert "nothing was changed" in one.script("hand-over-to-other-site", status=3)
    assert "nothing is copied" in one.script("copy-to-other-site", status=3)
    one.send("serves on")
    (one.folder / "cut").touch()
    (two.folder / "cut").unlink()
    assert "nothing was changed" in two.script("become-standby", status=3)


def test_no_copy_was_ever_finished(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("never copied")
    subprocess.run(["rsync", "-a", f"{one.mail}/.mailnode-turn", str(two.mail)], check=True)
    one.kill()
    said = two.script("make-this-site-live", "--other-site-is-off", status=3)
    assert "no copy was ever finished" in said


def test_a_zone_that_would_be_bad_is_left_alone(sites: tuple[Site, Site]) -> None:
    one, _ = sites
    zone = one.zone.read_text()
    for damage, why in (
        (zone.replace("SOA", "TXT"), "no SOA record with a serial number"),
        (zone + "bad\tIN\tA\tnowhere\n", "is no good zone"),
    ):
        one.zone.write_text(damage)
        assert why in one.script("point-names-here", status=3)
        assert one.zone.read_text() == damage
