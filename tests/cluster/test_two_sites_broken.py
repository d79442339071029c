"""Hand-over and return between two sites when a step breaks: never do both sites serve, and what is
kept aside is there before anything is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.store.guard import lay_guard
from tests.support.namespaces import need_program
from tests.support.two_sites import Site, two_sites

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def sites(tmp_path: Path, mariadb_data: Path) -> Iterator[tuple[Site, Site]]:
    need_program("rsync", "named-checkzone", "mariadb-dump", "bash", "flock")
    with two_sites(tmp_path, mariadb_data) as (one, two):
        one.script("make-this-site-live", "--other-site-is-off")
        two.script("become-standby")
        yield one, two


def serves(site: Site) -> bool:
    return site.service("is-active") == 0


def set_in(site: Site, **values: str | Path) -> None:
    """Other settings for the scripts of a site."""
    with site.conf.open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def break_the_order(two: Site, *, carried_out: bool, cut: bool) -> None:
    """The connection breaks at the order to take over, before or after that is done; for good?"""
    ssh = two.folder / "ssh"
    whole = ssh.rename(two.folder / "ssh.whole")
    done = f'{whole} "$1" >/dev/null 2>&1;' if carried_out else ""
    then = f"touch {two.folder}/cut;" if cut else ""
    ordered = f"case $1 in *--handed-over*) {done} {then} exit 255 ;; esac"
    ssh.write_text(f'#!/bin/sh\n{ordered}\nexec {whole} "$1"\n')
    ssh.chmod(0o755)


def test_an_order_that_was_carried_out_is_not_taken_back(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("before")
    break_the_order(two, carried_out=True, cut=False)
    assert "the other site took its turn" in one.script("hand-over-to-other-site", status=4)
    assert not serves(one)
    assert one.service("start") == 1
    two.send("after")
    one.script("become-standby")
    assert two.subjects() == ["after", "before"]


def test_an_order_that_never_arrived_leaves_service_here(sites: tuple[Site, Site]) -> None:
    one, two = sites
    break_the_order(two, carried_out=False, cut=False)
    assert "this site goes on serving" in one.script("hand-over-to-other-site", status=255)
    one.send("after")
    # It cannot come late either.
    assert "took it back" in two.script("make-this-site-live", "--handed-over", status=3)
    assert not serves(two)


def test_what_is_unknown_is_left_to_a_person(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("before")
    break_the_order(two, carried_out=False, cut=True)
    said = one.script("hand-over-to-other-site", status=4)
    assert "it is unknown whether the other site took its turn" in said
    assert not serves(one)
    assert one.service("start") == 1
    # A person looked: it did not. All mail is here, no UID has to be left out.
    one.script("make-this-site-live", "--other-site-is-off")
    one.send("after")
    assert one.uidnext() == 3


def test_names_that_do_not_move_are_no_reason_to_go_back(sites: tuple[Site, Site]) -> None:
    one, two = sites
    set_in(two, POINT="/bin/false")
    assert "the names do not point here" in one.script("hand-over-to-other-site")
    assert serves(two)
    assert not serves(one)
    two.send("after")


@pytest.mark.parametrize("signal", ["HUP", "INT", "TERM"])
def test_a_signal_in_the_midst_leaves_service_here(sites: tuple[Site, Site], signal: str) -> None:
    one, two = sites
    copy = one.folder / "copy"
    whole = one.scripts / "copy-to-other-site"
    copy.write_text(
        f"#!/bin/sh\n{one.folder}/systemctl is-active || kill -{signal} $PPID\nexec {whole}\n"
    )
    copy.chmod(0o755)
    set_in(one, COPY=copy)
    assert "this site goes on serving" in one.script("hand-over-to-other-site", status=1)
    assert serves(one)
    assert not serves(two)


def test_a_database_that_cannot_be_saved_is_not_replaced(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.script("copy-to-other-site")
    two.script("make-this-site-live", "--other-site-is-off", "--force")
    set_in(one, MYSQLDUMP="/bin/false")
    assert "nothing was changed" in one.script("become-standby", status=3)
    assert list(one.folder.glob("aside/*")) == []
    assert (one.mail / ".mailnode-live").exists()
    assert one.database.run("SELECT COUNT(*) FROM mailbox", "mailnode").strip() == "1"
    assert one.database.run("SHOW SLAVE STATUS").strip() == ""
    # Nor anything beside a mailnode that still writes.
    set_in(one, SYSTEMCTL="/bin/true")
    assert "does not stop here: nothing was changed" in one.script("become-standby", status=3)
    set_in(one, SYSTEMCTL=one.folder / "systemctl", MYSQLDUMP=f"'{dump_of(one)}'")
    one.script("become-standby")
    (kept,) = one.folder.glob("aside/*/database.sql")
    assert "INSERT INTO" in kept.read_text()


def test_two_that_know_nothing_of_each_other_are_told_apart(sites: tuple[Site, Site]) -> None:
    one, two = sites
    # No copy told it of the other one's turn.
    lay_guard(two.mail)
    two.script("make-this-site-live", "--other-site-is-off", "--force")
    assert (two.mail / ".mailnode-live").read_text().strip() == "2"
    # Nor could it be asked: both have the same, none serves until a person has chosen.
    (one.mail / ".mailnode-live").write_text("2\n")
    one.service("stop")
    assert one.service("start") == 1
    one.script("become-standby")
    assert not (one.mail / ".mailnode-live").exists()
    assert serves(two)


def dump_of(site: Site) -> str:
    return f"mariadb-dump --no-defaults --socket={site.database.socket} -uroot"


def test_what_is_live_is_not_made_live_again(sites: tuple[Site, Site]) -> None:
    one, two = sites
    one.send("first")
    one.script("copy-to-other-site")
    # How old the copy is is said where it lies.
    assert not (one.mail / ".mailnode-copied").exists()
    assert (two.mail / ".mailnode-copied").exists()
    one.service("stop")
    said = one.script("make-this-site-live", "--other-site-is-off")
    assert "is the live one already" in said
    assert (one.mail / ".mailnode-live").read_text().strip() == "1"
    assert one.uidnext() == 2
    # Nor the other one, after it replaced this one.
    one.kill()
    for _ in range(2):
        two.script("make-this-site-live", "--other-site-is-off")
        two.service("stop")
    two.service("start")
    assert (two.mail / ".mailnode-live").read_text().strip() == "2"
    assert 1_000_000 < two.uidnext() < 1_100_000
