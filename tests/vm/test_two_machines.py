"""Two machines with DRBD, OCFS2 and Heartbeat, set up with the files that mailnode writes for them:
the same mailboxes on both, one killed under load, one cut off and fenced, and both back again.

The tests are one story, told in order: each one finds the pair whole and leaves it whole.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.support.mailbox_crowd import Member, State, let_loose, seen_on
from tests.vm.clients import Acknowledged, Door, Greetings, Load
from tests.vm.lab import Lab
from tests.vm.machine import Machine
from tests.vm.plan import MAIL, N1, N2, USERS, Spot

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

ANN, BEN, CYD = USERS
STRESS_S = 40.0
# A change of flags may be lost with the power within storage.flag_sync_s, 1 s.
FLAGS_SETTLE_S = 2.0
# DRBD, OCFS2 and Heartbeat each notice a death in their own time; the first change of a folder
# waits for all three.
SURVIVAL_S = 120.0
_FINDINGS = re.compile(r"\{.*\}", re.DOTALL)


def own(spot: Spot) -> Door:
    """The node's own address, which never moves."""
    return Door(spot.name, spot.own)


def service(spot: Spot) -> Door:
    """The service address at home on a node."""
    return Door(f"service {spot.name}", spot.service)


# -- what must be true, however it went ------------------------------------------------------------


def no_findings(lab: Lab, machine: Machine) -> None:
    """The checker has nothing to say."""
    done = lab.mailnode(machine, "store check --json")
    assert done.status == 0, done.output
    found = _FINDINGS.search(done.output)
    assert found
    assert json.loads(found[0])["findings"] == []


def kept(door: Door, promised: Sequence[Acknowledged], fault_at: float) -> None:
    """All that was acknowledged is there, under the UIDs that were told, once."""
    sent = [pair for one in promised for pair in one.sent]
    appended = [message for one in promised for message in one.appended]
    for user in (ANN, BEN):
        state, uids = seen_on(door, user)
        subjects = {subject for folder, subject in state if folder == "INBOX"}
        expected = {subject for name, subject in sent if name == user}
        assert expected <= subjects, sorted(expected - subjects)
        for one in appended:
            if one.user == user:
                assert uids.get(("INBOX", one.validity, one.uid)) == one.subject, one
                if one.flagged_at and one.flagged_at < fault_at - FLAGS_SETTLE_S:
                    assert "\\Flagged" in state["INBOX", one.subject], one


def same_on_both() -> None:
    """Each node shows the same messages with the same flags under the same UIDs."""
    for user in USERS:
        assert seen_on(own(N1), user) == seen_on(own(N2), user)


def whole_again(lab: Lab, back: Spot) -> float:
    """``back`` was off: it returns, catches up and fetches its addresses; the seconds it took."""
    began = time.monotonic()
    machine = lab.machines[back.name]
    lab.rejoin(machine)
    synchronised = "until grep -q ds:UpToDate/UpToDate /proc/drbd; do sleep 0.5; done"
    machine.say(synchronised, 240)
    print(machine.say("dmesg | grep -o 'Resync done.*'").strip())
    lab.until_settled()
    machine.say("/usr/share/heartbeat/hb_takeover local", 120)
    lab.until_addresses({"n1": [N1], "n2": [N2]})
    assert _states(lab, machine) == {"n1": "serves", "n2": "serves"}
    return time.monotonic() - began


# -- the story -------------------------------------------------------------------------------------


def test_what_one_machine_takes_the_other_shows(pair: Lab) -> None:
    own(N1).send("from-one", ANN)
    state, _ = seen_on(own(N2), ANN)
    assert ("INBOX", "from-one") in state
    Door("n2", N2.service6).send("from-two", ANN)
    state, _ = seen_on(Door("n1", N1.service6), ANN)
    assert ("INBOX", "from-two") in state


def test_locks_keep_the_machines_apart(lab: Lab) -> None:
    said = lab.both(
        f"runuser -u mailnode -- mailnode doctor --storage {MAIL} --seconds 60 --json "
        "--config /etc/mailnode/mailnode.toml",
        180,
    )
    for text in said:
        checks = {one["what"].split(":")[0]: one for one in json.loads(text)}
        assert all(one["well"] for one in checks.values()), text
        assert "ocfs2" in checks["file system"]["found"]
        assert "kept apart" in checks["locks between nodes"]["found"]


def test_crowd_at_the_same_mailboxes_on_both_machines(lab: Lab) -> None:
    doors = [own(N1), own(N2)]
    for user in (ANN, BEN):
        session = doors[0].imap(user)
        session.create("Common")
        session.logout()
    members = [
        Member(f"{user}m{number}", user, doors, 20261125 * 10 + number)
        for user in (ANN, BEN)
        for number in range(2)
    ]
    before = {user: seen_on(doors[0], user)[0] for user in (ANN, BEN)}
    assert let_loose(members, STRESS_S, 240) == []
    assert sum(member.steps for member in members) > 20
    for user in (ANN, BEN):
        expected: State = before[user]
        for member in members:
            if member.user == user:
                expected |= member.state
        assert seen_on(doors[0], user)[0] == expected
    same_on_both()
    no_findings(lab, lab.two)


def test_machine_is_killed_under_load(pair: Lab) -> None:
    with _owed(pair) as owed:
        loads = [Load("n1", service(N1), (ANN, BEN)), Load("n2", service(N2), (ANN, BEN))]
        _until_busy(pair, loads)
        greetings = Greetings(N1.service)
        killed_at = time.monotonic()
        pair.one.power_off()
    pair.until_addresses({"n2": [N1, N2]})
    # What the watcher orders where storage waits for the dead: nobody is there to hand over to.
    pair.two.say("/usr/share/heartbeat/hb_standby all")
    _until_busy(pair, loads)
    promised = [load.end() for load in loads]
    greetings.end()
    print(f"no greeting for {greetings.gap_s(killed_at):.1f} s; {_told(promised)}")
    kept(own(N2), promised, killed_at)
    # What the dead machine had accepted and not delivered, the survivor delivers.
    pair.until(lambda: _states(pair, pair.two)["n1"] == "adopted", SURVIVAL_S, "n1 is adopted")
    pair.until(
        lambda: ("INBOX", owed) in seen_on(own(N2), CYD)[0], SURVIVAL_S, "its queue is worked off"
    )
    assert pair.addresses(pair.two) == {N1.service, N1.service6, N2.service, N2.service6}
    no_findings(pair, pair.two)


def test_killed_machine_comes_back(pair: Lab) -> None:
    _left_alone(pair, N2, without=N1)
    before = {user: seen_on(own(N2), user)[1] for user in USERS}
    print(f"whole after {whole_again(pair, N1):.0f} s")
    for user in USERS:
        assert seen_on(own(N1), user)[1] == before[user]
    service(N1).send("back", ANN)
    same_on_both()
    no_findings(pair, pair.one)


def test_machine_that_is_cut_off_is_switched_off_and_harms_nothing(pair: Lab) -> None:
    loads = [Load("n1", service(N1), (ANN, BEN)), Load("n2", service(N2), (ANN, BEN))]
    _until_busy(pair, loads)
    pair.fenced.clear()
    greetings = Greetings(N2.service)
    cut_at = time.monotonic()
    pair.cut_off(N2)
    pair.until(lambda: not pair.two.is_on, SURVIVAL_S, "n2 is switched off")
    off_s = time.monotonic() - cut_at
    assert set(pair.fenced) == {("n2", "n1")}
    pair.until_addresses({"n1": [N1, N2]})
    _until_busy(pair, loads)
    promised = [load.end() for load in loads]
    greetings.end()
    print(f"off {off_s:.1f} s after the cut, no greeting for {greetings.gap_s(cut_at):.1f} s;")
    print(_told(promised))
    kept(own(N1), promised, cut_at)
    no_findings(pair, pair.one)


def test_fenced_machine_comes_back(pair: Lab) -> None:
    pair.mend(N2)
    _left_alone(pair, N1, without=N2)
    before = {user: seen_on(own(N1), user)[1] for user in USERS}
    print(f"whole after {whole_again(pair, N2):.0f} s")
    for user in USERS:
        assert seen_on(own(N2), user)[1] == before[user]
    service(N2).send("back-too", ANN)
    same_on_both()
    for machine in pair.machines.values():
        no_findings(pair, machine)


def test_power_fails_for_both_at_once(pair: Lab) -> None:
    loads = [Load("n1", service(N1), (ANN, BEN)), Load("n2", service(N2), (ANN, BEN))]
    _until_busy(pair, loads)
    failed_at = time.monotonic()
    for machine in pair.machines.values():
        machine.power_off()
    pair.power_returns()
    print(f"serves again {time.monotonic() - failed_at:.0f} s after the power failed")
    _until_busy(pair, loads)
    promised = [load.end() for load in loads]
    print(_told(promised))
    kept(own(N1), promised, failed_at)
    same_on_both()
    no_findings(pair, pair.two)


# -- steps -----------------------------------------------------------------------------------------


def _left_alone(lab: Lab, survivor: Spot, without: Spot) -> None:
    """As the story has it by then; a test that is run alone has to make it so."""
    lab.machines[without.name].power_off()
    lab.until_addresses({survivor.name: [N1, N2]})


def _until_busy(lab: Lab, loads: list[Load]) -> None:
    """Until each load got some more of each kind through."""
    marks = [(load, len(load.promised.sent), len(load.promised.appended)) for load in loads]
    lab.until(
        lambda: all(
            len(load.promised.sent) >= sent + 4 and len(load.promised.appended) >= appended + 4
            for load, sent, appended in marks
        ),
        SURVIVAL_S,
        "clients get on",
    )


@contextlib.contextmanager
def _owed(lab: Lab) -> Iterator[str]:
    """n1 has acknowledged a message and cannot deliver it: somebody on n2 has cyd's INBOX. It is
    let go when the block ends, with n1."""
    subject = "owed"
    own(N1).send("first", CYD)
    script = (
        "import fcntl, glob, os, time\n"
        f"(path,) = glob.glob('{MAIL}/**/{CYD}/**/mailnode.lock', recursive=True)\n"
        "fd = os.open(path, os.O_RDWR)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "open('/run/lab-holds', 'w').close()\n"
        "while os.path.exists('/run/lab-holds'): time.sleep(0.1)\n"
    )
    lab.two.say(f"cat > /run/holder.py <<'END'\n{script}END\nrm -f /run/lab-holds")
    holder = lab.two.say.start("python3 /run/holder.py", 300)
    lab.two.say("until [ -e /run/lab-holds ]; do sleep 0.1; done")
    # Safe in ann's INBOX and, for cyd, in n1's spool.
    own(N1).send(subject, ANN, CYD)
    try:
        yield subject
    finally:
        lab.two.say("rm -f /run/lab-holds")
        assert holder().status == 0


def _states(lab: Lab, machine: Machine) -> dict[str, str]:
    """How the nodes are, as one of them says."""
    return {one["node"]: one["state"] for one in lab.status(machine)["nodes"]}


def _told(promised: list[Acknowledged]) -> str:
    sent = sum(len(one.sent) for one in promised)
    appended = sum(len(one.appended) for one in promised)
    refusals = [text for one in promised for text in one.refusals]
    return f"{sent} sent, {appended} appended, turned away: {sorted(set(refusals))}"
