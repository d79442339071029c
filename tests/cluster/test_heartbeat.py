"""Real Heartbeat on two machines of namespaces: the owner of an address is killed, frozen, cut off,
loses its mailnode, or hands over, while clients send and read through the service addresses.

Each case: nothing acknowledged is lost, no UID names two messages, the checker finds nothing, and
nothing is left running or mounted. How long nobody was greeted is printed (`pytest -rP`); the goal
of 2.5 s is for a machine with nothing else to do, so no test demands it.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.failover_clients import in_network
from tests.support.failover_traffic import Traffic, stored_at
from tests.support.heartbeat_pair import DOMAIN, SERVICE, Pair, pair_of, why_no_heartbeat
from tests.support.pair_home import at_home

pytestmark = [pytest.mark.timeout(420), pytest.mark.slow, pytest.mark.fault]
# Far more than it takes: what is bounded here is that it happens at all.
WITHIN_S = 120.0


@contextmanager
def pair_in_temporary_folder(fencing: bool, *, start: bool = True) -> Iterator[Pair]:
    if reason := why_no_heartbeat():
        pytest.skip(reason)
    # Not tmp_path: Heartbeat's files take no names with other signs.
    with (
        tempfile.TemporaryDirectory(prefix="mailnode-ha-", ignore_cleanup_errors=True) as folder,
        pair_of(Pair, Path(folder), fencing=fencing) as found,
    ):
        if start:
            found.start()
        yield found


@pytest.fixture(scope="module")
def shooting() -> Iterator[Pair]:
    with pair_in_temporary_folder(fencing=True) as found:
        yield found


@pytest.fixture
def pair(shooting: Pair) -> Pair:
    """A pair that shoots, both nodes at home."""
    at_home(shooting)
    return shooting


@pytest.mark.parametrize("how", ["killed", "frozen", "cut off"])
def test_the_survivor_takes_over_and_the_node_comes_back(
    pair: Pair, how: str, record_property: Callable[[str, object], None]
) -> None:
    one = pair.machines["n1"]
    with Traffic(pair) as traffic:
        began = time.monotonic()
        if how == "killed":
            one.power_off()
        elif how == "frozen":
            one.freeze()
        else:
            pair.cut("n1")
        pair.until_owned("n2", "n2", within_s=WITHIN_S)
        # Switched off before anything was taken over, whatever it did by then; and only it.
        assert not one.is_on
        assert {name for _, name in pair.switch.shot} == {"n1"}
        traffic.until_more()
        assert traffic.greeter.hosts(time.monotonic() - 0.5) == {f"n2.{DOMAIN}"}
    traffic.tell(how, began, record_property)
    pair.until(lambda: pair.state("n1") == "adopted", "its queue is not adopted")
    traffic.nothing_is_lost()
    if how != "cut off":
        _comes_back(pair)


def _hand_over(pair: Pair, node: str, part: str, left: str) -> None:
    said = pair.mailnode(node, "cluster", "hand-over", part, config=False)
    assert said.endswith(f"this node holds: {left}\n"), said + pair.logs()


def _comes_back(pair: Pair) -> None:
    """It stays without address until that is sent home, and serves the same mail."""
    before = in_network(pair.hub, lambda: stored_at(SERVICE["n1"]))
    pair.until_settled()
    pair.boot("n1")
    pair.until_serving("n1", WITHIN_S)
    pair.start_manager("n1")
    pair.until(lambda: pair.held("n1") == "none", "Heartbeat is not back", WITHIN_S)
    pair.until_owned("n2", "n2")
    _hand_over(pair, "n2", "foreign", left="local")
    pair.until_owned("n1", "n2")
    assert in_network(pair.hub, lambda: stored_at(SERVICE["n1"])) == before
    assert pair.state("n1") == "serves"


@pytest.fixture(scope="module")
def unarmed() -> Iterator[Pair]:
    with pair_in_temporary_folder(fencing=False) as found:
        yield found


@pytest.fixture
def calm(unarmed: Pair) -> Pair:
    """A pair whose nodes live, however their addresses move; both at home."""
    at_home(unarmed)
    return unarmed


def test_a_planned_move_breaks_no_transaction_and_the_next_may_follow_at_once(
    calm: Pair, record_property: Callable[[str, object], None]
) -> None:
    with Traffic(calm, timeout_s=30) as traffic:
        began = time.monotonic()
        for node, part, left in (
            ("n1", "all", "none"),
            ("n2", "foreign", "local"),
            ("n1", "local", "none"),
        ):
            # Heartbeat itself ignores an order that comes before the move is over.
            _hand_over(calm, node, part, left)
        calm.until_owned("n2", "n2")
        traffic.until_more()
        _hand_over(calm, "n2", "foreign", left="local")
        calm.until_owned("n1", "n2")
        traffic.until_more()
    traffic.tell("planned move", began, record_property)
    traffic.nothing_is_broken()
    traffic.nothing_is_lost()


def test_a_node_without_a_cable_to_its_clients_gives_its_address_up(
    calm: Pair, record_property: Callable[[str, object], None]
) -> None:
    """Heartbeat itself hears it by the other link, and would leave the address there."""
    with Traffic(calm) as traffic:
        began = time.monotonic()
        calm.cut("n1", "eth0")
        calm.until_owned("n2", "n2", within_s=WITHIN_S)
        traffic.until_more()
    traffic.tell("no cable to the clients", began, record_property)
    traffic.nothing_is_lost()
    calm.cut("n1", "eth0", up=True)
    _hand_over(calm, "n2", "foreign", left="local")
    calm.until_owned("n1", "n2")


def test_a_node_whose_mailnode_is_dead_gives_its_address_up(
    calm: Pair, record_property: Callable[[str, object], None]
) -> None:
    one = calm.machines["n1"]
    with Traffic(calm) as traffic:
        began = time.monotonic()
        one.kill("mailnode serve", signal.SIGKILL)
        calm.until_owned("n2", "n2", within_s=WITHIN_S)
        assert one.is_on
        traffic.until_more()
    traffic.tell("mailnode dead", began, record_property)
    traffic.nothing_is_lost()
    calm.start_mailnode("n1")
    calm.until_serving("n1", WITHIN_S)
    # It is well again, and nothing moves by itself.
    assert calm.owner(SERVICE["n1"]) == ["n2"]
    _hand_over(calm, "n2", "foreign", left="local")
    calm.until_owned("n1", "n2")


def test_a_node_that_was_frozen_and_not_switched_off_does_no_harm(
    calm: Pair, record_property: Callable[[str, object], None]
) -> None:
    """What must not be configured so, and yet must lose nothing: no fencing, a person's word."""
    one = calm.machines["n1"]
    with Traffic(calm) as traffic:
        began = time.monotonic()
        one.freeze()
        calm.until_owned("n2", "n2", within_s=WITHIN_S, also_frozen=("n1",))
        calm.mailnode("n2", "cluster", "takeover", "n1", "--fenced")
        assert calm.state("n1") == "taken"
        one.thaw()
        # Under a lease that is another's it acknowledges nothing and ends.
        calm.until(lambda: one.pids("mailnode serve") == [], "it goes on without a lease", WITHIN_S)
        # Heartbeats that met again sort out who holds what, the survivor's by a restart; in the
        # end who serves holds both.
        restarted = "Performing heartbeat restart exec"
        calm.until(lambda: restarted in calm.machines["n2"].read("ha-log"), "no restart", WITHIN_S)
        calm.until_owned("n2", "n2", within_s=WITHIN_S)
        traffic.until_more()
    traffic.tell("frozen and resumed", began, record_property)
    assert "lost" in calm.lease_events("n1")
    traffic.nothing_is_lost()
