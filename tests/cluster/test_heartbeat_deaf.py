"""Heartbeats that do not hear: a word of its own that was lost as it started, and then the other
node's, while both nodes live and their clients reach either."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.test_heartbeat import WITHIN_S, pair_in_temporary_folder
from tests.support.heartbeat_pair import SERVICE, Pair
from tests.support.machines import Machine
from tests.support.pair_home import at_home, switch_off

pytestmark = [pytest.mark.timeout(420), pytest.mark.slow, pytest.mark.fault]
RAISE = "/etc/ha.d/rc.d/ip-request-resp"
ACQUIRING = "Acquiring resource group: n1"
# What becomes of Heartbeat's word to raise an address when another script writes at that moment.
_LOSES_THE_FIRST = f"""#!/bin/sh
[ -e /run/lost ] || {{ touch /run/lost; exit 0; }}
exec {RAISE}.real "$@"
"""


def _deaf(machine: Machine) -> None:
    """Heartbeats are no longer sent, by any network; all else is as before."""
    # The table of own addresses has the broadcasts', and comes first.
    machine.net("ip", "rule", "add", "pref", "10", "lookup", "local")
    machine.net("ip", "rule", "add", "pref", "5", "ipproto", "udp", "dport", "694", "prohibit")
    machine.net("ip", "rule", "del", "pref", "0")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A pair that shoots; whoever needs it started does that."""
    with pair_in_temporary_folder(fencing=True, start=False) as found:
        yield found


@pytest.fixture
def lost_word(pair: Pair) -> Iterator[None]:
    """The first node loses a word when it starts next."""
    one = pair.machines["n1"]
    whole = Path(f"{one.copies}{RAISE}").read_text()
    one.place(f"{RAISE}.real", whole, 0o755)
    one.place(RAISE, _LOSES_THE_FIRST, 0o755)
    yield
    one.place(RAISE, whole, 0o755)


@pytest.mark.usefixtures("lost_word")
def test_an_address_that_heartbeat_forgot_is_raised_all_the_same(pair: Pair) -> None:
    both = pair.machines.values()
    switch_off(pair)
    before = [machine.read("ha-log").count(ACQUIRING) for machine in both]
    pair.start_nodes()
    pair.until(lambda: pair.owner(SERVICE["n2"]) == ["n2"], "n2 raises nothing", WITHIN_S)
    pair.until(lambda: pair.held("n1") == "local", "n1 does not settle", WITHIN_S)
    assert pair.owner(SERVICE["n1"]) == []
    pair.until_owned("n1", "n2", within_s=WITHIN_S)
    pair.until_settled()
    # Once, by Heartbeat, and nothing moved for it.
    taken = [machine.read("ha-log").count(ACQUIRING) for machine in both]
    assert taken == [before[0] + 1, before[1]]


def test_of_two_that_live_and_do_not_hear_each_other_one_is_shot(pair: Pair) -> None:
    at_home(pair)
    for machine in pair.machines.values():
        _deaf(machine)
    pair.until_owned("n1", "n1", within_s=WITHIN_S)
    # Off before its address was taken; and it did not shoot back from its grave.
    assert not pair.machines["n2"].is_on
    pair.until_settled()
    assert {name for _, name in pair.switch.shot} == {"n2"}
    assert pair.machines["n1"].is_on
    pair.until_owned("n1", "n1")
