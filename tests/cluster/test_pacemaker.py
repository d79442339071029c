"""Pacemaker and Corosync on two machines of namespaces, with the shipped agent and configuration:
addresses move when told to and when their node dies, and the agent's answers in each state."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.failover_traffic import Traffic
from tests.support.heartbeat_pair import SERVICE, pair_of
from tests.support.namespaces import why_no_program
from tests.support.pacemaker_pair import PacemakerPair, why_no_pacemaker
from tests.support.pair_home import at_home

pytestmark = [pytest.mark.timeout(420), pytest.mark.slow, pytest.mark.fault]
WITHIN_S = 120.0


@pytest.fixture(scope="module")
def started() -> Iterator[PacemakerPair]:
    if reason := why_no_pacemaker():
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="mailnode-pm-", ignore_cleanup_errors=True) as folder,
        pair_of(PacemakerPair, Path(folder)) as found,
    ):
        found.start()
        yield found


@pytest.fixture
def pair(started: PacemakerPair) -> PacemakerPair:
    """Both nodes are on, each address is at home, and the cluster has nothing to do."""
    at_home(started)
    return started


def test_the_cluster_finds_nothing_wrong_with_its_configuration(pair: PacemakerPair) -> None:
    one = pair.machines["n1"]
    assert "error" not in one.run("crm_verify", "-L", "-V").lower()
    for name in ("mail-1", "mail-2", "fence-n1", "fence-n2"):
        assert "running on" in one.run("crm_resource", "--locate", "--resource", name)


def test_crmsh_loads_its_form_of_it_and_nothing_changes(pair: PacemakerPair) -> None:
    if reason := why_no_program("crm"):
        pytest.skip(reason)
    one = pair.machines["n1"]
    before = pair.resources()
    said = one.run("crm", "configure", "load", "update", "/etc/mailnode/mailnode.crm")
    assert "ERROR" not in said
    assert pair.resources() == before
    pair.until_owned("n1", "n2", within_s=WITHIN_S)


def test_the_agent_tells_each_state(pair: PacemakerPair) -> None:
    def answer(node: str) -> str:
        command = "crm_resource --force-check --resource mail-1 >/dev/null 2>&1; echo $?"
        return pair.machines[node].run("sh", "-c", command).strip()

    assert answer("n1") == "0"
    assert answer("n2") == "7"
    one = pair.machines["n1"]
    # The cluster is told to look away: what is asked for is the agent's answer.
    one.run("crm_attribute", "--name", "maintenance-mode", "--update", "true")
    one.kill("mailnode serve", signal.SIGSTOP)
    try:
        pair.until(lambda: answer("n1") == "1", "a stopped mailnode serves", WITHIN_S)
        one.kill("mailnode serve", signal.SIGCONT)
        pair.until(lambda: answer("n1") == "0", "it does not serve again", WITHIN_S)
    finally:
        one.kill("mailnode serve", signal.SIGCONT)
        # It has seen the failure all the same, and would keep the address away for a while.
        one.run("crm_resource", "--cleanup", "--resource", "mail-1")
        one.run("crm_attribute", "--name", "maintenance-mode", "--delete")
    pair.until_settled(WITHIN_S)


def test_a_planned_move_breaks_no_transaction(
    pair: PacemakerPair, record_property: Callable[[str, object], None]
) -> None:
    with Traffic(pair, timeout_s=30) as traffic:
        began = time.monotonic()
        for node, owners in (("n2", ("n2", "n2")), ("n1", ("n1", "n2"))):
            pair.move("mail-1", node, *owners, within_s=WITHIN_S)
            traffic.until_more()
    traffic.tell("planned move by Pacemaker", began, record_property)
    traffic.nothing_is_broken()
    traffic.nothing_is_lost()


@pytest.fixture
def long_memory(pair: PacemakerPair) -> Iterator[None]:
    """Failures are remembered for as long as the test looks at them."""
    one, kept = pair.machines["n1"], "/run/resources.xml"
    one.run("sh", "-c", f"cibadmin -Q -o resources > {kept}")
    for resource in ("mail-1", "mail-2"):
        words = ("--set-parameter", "failure-timeout", "--parameter-value", "600s")
        one.run("crm_resource", "--meta", "--resource", resource, *words)
    yield
    # A parameter that is deleted leaves its empty set.
    one.run("cibadmin", "--replace", "-o", "resources", "--xml-file", kept)


@pytest.mark.usefixtures("long_memory")
def test_an_address_that_is_nowhere_is_cleaned_up(pair: PacemakerPair) -> None:
    for machine in pair.machines.values():
        machine.kill("mailnode serve", signal.SIGKILL)
    # It has failed on either, and is tried nowhere.
    for address in SERVICE.values():
        pair.until(lambda address=address: pair.owner(address) == [], address, WITHIN_S)
    pair.until_settled(WITHIN_S)
    for name in pair.machines:
        pair.start_mailnode(name)
    for name in pair.machines:
        pair.until_serving(name)
    nowhere = "is raised nowhere"
    assert pair.mailnode("n1", "cluster", "status").count(nowhere) == 4
    for resource in ("mail-1", "mail-2"):
        pair.machines["n1"].run("crm_resource", "--cleanup", "--resource", resource)
    pair.until_owned("n1", "n2", within_s=WITHIN_S)
    pair.until_settled(WITHIN_S)


def _comes_back(pair: PacemakerPair) -> None:
    """It gets no address by itself, and its own one when a person moves it."""
    pair.boot("n1")
    pair.until_serving("n1", WITHIN_S)
    pair.start_manager("n1")
    pair.until(lambda: pair.online() == {"n1", "n2"}, "n1 is not back", WITHIN_S)
    pair.until_settled(WITHIN_S)
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    pair.move("mail-1", "n1", "n1", "n2", within_s=WITHIN_S)


def test_the_address_of_a_dead_node_moves_once_it_is_switched_off(
    pair: PacemakerPair, record_property: Callable[[str, object], None]
) -> None:
    with Traffic(pair) as traffic:
        began = time.monotonic()
        pair.machines["n1"].power_off()
        pair.until_owned("n2", "n2", within_s=WITHIN_S)
        assert {name for _, name in pair.switch.shot} == {"n1"}
        traffic.until_more()
    traffic.tell("killed under Pacemaker", began, record_property)
    pair.until(lambda: pair.state("n1") == "adopted", "its queue is not adopted")
    traffic.nothing_is_lost()
    _comes_back(pair)


def test_a_failure_that_is_over_keeps_no_address_from_the_survivor(pair: PacemakerPair) -> None:
    pair.machines["n2"].run("crm_resource", "--fail", "--resource", "mail-2", "--node", "n2")
    pair.until_owned("n1", "n1", within_s=WITHIN_S)
    pair.machines["n1"].power_off()
    # Less than the two minutes for which such a failure was remembered once.
    pair.until_owned("n2", "n2", within_s=90)
    _comes_back(pair)


@pytest.fixture
def no_board(pair: PacemakerPair) -> Iterator[None]:
    """The board of n1 has lost its power together with the machine: no answer on n2."""
    two = pair.machines["n2"]
    two.run("sed", "-i", "s/^off | reboot)/off | reboot) exit 1/", "/usr/sbin/fence_ipmilan")
    yield
    two.run("cp", "/etc/mailnode/bin/fence_ipmilan", "/usr/sbin/")


@pytest.mark.usefixtures("no_board")
def test_a_fence_that_fails_holds_everything_until_a_person_confirms(pair: PacemakerPair) -> None:
    two = pair.machines["n2"]
    pair.machines["n1"].power_off()
    failed = "Failed Fencing Actions"
    pair.until(lambda: failed in two.run("crm_mon", "-1"), "nobody was shot at", WITHIN_S)
    assert pair.owner(SERVICE["n1"]) == []
    two.run("stonith_admin", "--confirm", "n1")
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
