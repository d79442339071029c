"""Lines of the table of failures in docs/cluster.md that have to do with Heartbeat, each reproduced
on two machines of namespaces: what an operator sees, and that what the table says helps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.test_heartbeat import WITHIN_S, pair_in_temporary_folder
from tests.support.heartbeat_pair import SERVICE, SERVICE6, Pair
from tests.support.pair_home import at_home

pytestmark = [pytest.mark.timeout(420), pytest.mark.slow, pytest.mark.fault]
IPMITOOL = "/etc/mailnode/bin/ipmitool"


@pytest.fixture(scope="module")
def shooting() -> Iterator[Pair]:
    with pair_in_temporary_folder(fencing=True) as found:
        yield found


@pytest.fixture
def pair(shooting: Pair) -> Pair:
    """A pair that shoots, both nodes at home."""
    at_home(shooting)
    return shooting


def _goes_home(pair: Pair) -> None:
    said = pair.mailnode("n2", "cluster", "hand-over", "foreign", config=False)
    assert said.endswith("this node holds: local\n"), said + pair.logs()
    pair.until_owned("n1", "n2")


def _link(pair: Pair, asked: str, peer: str, nic: str) -> str:
    command = ("cl_status", "hblinkstatus", peer, nic)
    return pair.machines[asked].run(*command, fails=True).strip()


def test_without_the_link_between_the_nodes_heartbeat_goes_on(pair: Pair) -> None:
    def links(nic: str) -> set[str]:
        return {_link(pair, "n1", "n2", nic), _link(pair, "n2", "n1", nic)}

    for nic in ("eth0", "eth1"):
        pair.until(lambda nic=nic: links(nic) == {"up"}, f"no {nic}", WITHIN_S)
    pair.cut("n1", "eth1")
    pair.until(lambda: links("eth1") == {"dead"}, "eth1 is up", WITHIN_S)
    assert links("eth0") == {"up"}
    assert pair.switch.shot == []
    pair.until_owned("n1", "n2")
    pair.cut("n1", "eth1", up=True)
    pair.until(lambda: links("eth1") == {"up"}, "eth1 is dead", WITHIN_S)


def test_a_drained_node_gives_its_address_up(pair: Pair) -> None:
    pair.mailnode("n2", "cluster", "drain", "n1")
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    pair.until_settled()
    # It is drained until a person says otherwise, though its agent took its address back.
    assert "this node is drained" in pair.mailnode("n1", "cluster", "monitor", fails=True)
    said = pair.mailnode("n1", "cluster", "undrain", "--address", SERVICE["n1"])
    assert "n1 is drained as a whole" in said
    pair.mailnode("n2", "cluster", "undrain", "n1")
    pair.until_serving("n1")
    _goes_home(pair)


def test_a_frozen_mailnode_loses_its_address_and_is_killed(pair: Pair) -> None:
    one = pair.machines["n1"]
    one.kill("mailnode serve", signal.SIGSTOP)
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    # Its lock is its own, so nobody takes its queue.
    assert pair.state("n1") == "serves"
    one.kill("mailnode serve", signal.SIGKILL)
    pair.until(lambda: pair.state("n1") == "adopted", "its queue is not adopted")
    pair.start_mailnode("n1")
    pair.until_serving("n1")
    _goes_home(pair)


def test_an_address_that_is_nowhere_is_fetched(pair: Pair) -> None:
    one = pair.machines["n1"]
    for address in (f"{SERVICE['n1']}/24", f"{SERVICE6['n1']}/64"):
        one.net("ip", "addr", "del", address, "dev", "eth0")
    nowhere = f"ATTENTION: {SERVICE['n1']} is raised nowhere"
    pair.until(lambda: nowhere in pair.mailnode("n2", "cluster", "status"), nowhere)
    pair.machines["n2"].run("/usr/share/heartbeat/hb_takeover", "all")
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    pair.until(lambda: "ATTENTION" not in pair.mailnode("n2", "cluster", "status"), "still nowhere")
    _goes_home(pair)


@pytest.fixture
def no_board(pair: Pair) -> Iterator[None]:
    """The board of n1 has lost its power together with the machine: no answer on n2."""
    two = pair.machines["n2"]
    whole = Path(f"{two.copies}{IPMITOOL}").read_text()
    two.place(IPMITOOL, "#!/bin/sh\necho no answer >&2\nexit 1\n", 0o755)
    yield
    two.place(IPMITOOL, whole, 0o755)


@pytest.mark.usefixtures("no_board")
def test_a_fence_that_fails_holds_everything_until_a_person_has_looked(pair: Pair) -> None:
    two = pair.machines["n2"]
    pair.machines["n1"].power_off()
    failed = "STONITH of n1 failed"
    pair.until(lambda: failed in two.read("ha-log"), "nobody was shot at", WITHIN_S)
    assert pair.owner(SERVICE["n1"]) == []
    two.run("/etc/mailnode/fence", "n1", "--is-off")
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    pair.until(lambda: pair.state("n1") == "adopted", "its queue is not adopted")
