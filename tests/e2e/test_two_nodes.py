"""Two nodes, and three, on one mail root, all active: what one does the others see, what one leaves
behind another finishes, and a node that comes back from a freeze hurts nothing."""

from __future__ import annotations

import contextlib
import fcntl
import imaplib
import os
import signal
import smtplib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster_nodes import DOMAIN, PASSWORD, ClusterWorld, Node, cluster_world

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ClusterWorld]:
    with cluster_world(tmp_path, nodes=getattr(request, "param", 2)) as found:
        yield found


# Nothing in mailnode counts to two.
two_and_three = pytest.mark.parametrize("world", [2, 3], indirect=True)


def all_nodes(world: ClusterWorld, **sections: dict[str, object]) -> list[Node]:
    return [world.node(name, **sections) for name in world.spots]


def until(what: Callable[[], bool], within_s: float = 20.0) -> float:
    """Wait for it; the seconds it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within_s, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - began


def acquainted(*nodes: Node) -> None:
    for node in nodes:
        for other in nodes:
            if other is not node:
                node.until_event("peer", of=other.name, heard="yes")


class Idler:
    """A session in IDLE on a node."""

    def __init__(self, node: Node, user: str = "user1", folder: str = "INBOX") -> None:
        self._sock = node.connect("imap")
        self._file = self._sock.makefile("rb")
        self._file.readline()
        for line in (f"a LOGIN {user}@{DOMAIN} {{0}}", f"b SELECT {folder}"):
            text = line.replace("{0}", f'"{PASSWORD}"')
            self._sock.sendall(text.encode() + b"\r\n")
            tag = text[:1].encode()
            while not (got := self._file.readline()).startswith(tag + b" "):
                pass
            assert b" OK" in got, got
        self._sock.sendall(b"c IDLE\r\n")
        assert self._file.readline().startswith(b"+")

    def wait(self, word: bytes, within_s: float = 20.0) -> float:
        """Seconds until a line with the word comes."""
        self._sock.settimeout(within_s)
        began = time.monotonic()
        while word not in (line := self._file.readline()):
            assert line, "the session ended"
        return time.monotonic() - began

    def close(self) -> None:
        self._file.close()
        self._sock.close()


@two_and_three
def test_idle_sessions_hear_of_mail_and_flags_of_another_node_at_once(
    world: ClusterWorld, record_property: Callable[[str, object], None]
) -> None:
    # Nothing but a hint brings news in less than the poll period.
    one, *others = all_nodes(world, cluster={"poll_s": 600.0})
    acquainted(one, *others)
    with contextlib.ExitStack() as stack:
        idlers = [stack.enter_context(contextlib.closing(Idler(node))) for node in others]
        talk = stack.enter_context(smtplib.SMTP(one.host, one.ports["smtp"], timeout=30))
        talk.ehlo()
        client = one.imap()
        client.select()
        times = list[float]()

        def take(began: float, word: bytes) -> None:
            for idler in idlers:
                idler.wait(word)
            times.append(time.monotonic() - began)

        for number in range(1, 12):
            talk.mail(f"sender@{DOMAIN}")
            talk.rcpt(f"user1@{DOMAIN}")
            began = time.monotonic()
            talk.data(f"Subject: mail {number}\r\n\r\ntext\r\n")
            take(began, b"EXISTS")
            client.noop()
            began = time.monotonic()
            client.store(str(number), "+FLAGS", "(\\Flagged)")
            take(began, b"\\Flagged")
        client.logout()
    median_ms = statistics.median(times) * 1000
    # With -s to be read.
    print(
        f"\nfrom DATA or STORE to IDLE on {len(others)} other nodes: {median_ms:.1f} ms "
        f"(median of {len(times)})"
    )
    record_property("median_ms", median_ms)
    assert median_ms <= 100, times


@two_and_three
@pytest.mark.parametrize("how", ["all lost", "switched off"])
def test_without_any_hint_the_poll_period_is_kept(world: ClusterWorld, how: str) -> None:
    cluster: dict[str, object] = {"poll_s": 1.0}
    if how == "all lost":
        # Where nobody listens: what a cut link between the nodes looks like.
        cluster["nodes"] = [f"{name} 127.0.0.99:9" for name in world.spots]
    else:
        cluster["listen"] = []
    one, *others = all_nodes(world, cluster=cluster)
    with contextlib.ExitStack() as stack:
        idlers = [stack.enter_context(contextlib.closing(Idler(node))) for node in others]
        for number in range(3):
            one.send(subject=f"mail {number}")
            for idler in idlers:
                assert idler.wait(b"EXISTS") < 1.5


@pytest.mark.parametrize("older", ["older hint protocol", "no hints at all"])
def test_older_node_runs_beside_a_newer_one(world: ClusterWorld, older: str) -> None:
    cluster: dict[str, object] = {"poll_s": 1.0}
    older_one: dict[str, object] = {"speak_version": 1}
    cluster |= older_one if older == "older hint protocol" else {"listen": []}
    one, two = world.node("n1", cluster=cluster), world.node("n2", cluster={"poll_s": 1.0})
    if older == "older hint protocol":
        acquainted(one, two)
        peer = two.status()["hints"]["peers"][0]
        assert (peer["node"], peer["version"]) == ("n1", 1)
    for here, there in ((one, two), (two, one)):
        with contextlib.closing(Idler(there)) as idler:
            here.send()
            assert idler.wait(b"EXISTS") < 1.5
    assert world.findings() == []


def test_folder_renamed_on_the_other_node_stays_selected(world: ClusterWorld) -> None:
    one, two = world.node("n1"), world.node("n2")
    acquainted(one, two)
    here, there = one.imap(), two.imap()
    here.create("Work")
    here.append("Work", "", "", b"Subject: one\r\n\r\ntext\r\n")
    with contextlib.closing(Idler(two, folder="Work")) as idler:
        there.select("Work")
        assert here.rename("Work", "Job")[0] == "OK"
        # IDLE goes on: hints of the new name come, without a poll period between.
        here.append("Job", "", "", b"Subject: two\r\n\r\ntext\r\n")
        assert idler.wait(b"2 EXISTS") < 5
        assert there.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK"
        assert idler.wait(b"\\Flagged") < 5
    assert there.uid("COPY", "1:2", "INBOX")[0] == "OK"
    for client in (here, there):
        client.logout()
    assert _picture(one, folder="Job") == _picture(two, folder="Job") == [(1, "one"), (2, "two")]
    assert world.findings() == []


@two_and_three
def test_clocks_that_differ_by_minutes_change_nothing_but_dates(world: ClusterWorld) -> None:
    offsets = {"n1": 600.0, "n2": -600.0, "n3": 0.0}
    nodes = [
        world.node(name, clock_offset_s=offsets[name], cluster={"poll_s": 600.0})
        for name in world.spots
    ]
    one, two = nodes[:2]
    acquainted(*nodes)
    sent = []
    with contextlib.closing(Idler(two)) as idler:
        for number in range(5):
            for node in nodes:
                node.send(subject=f"{node.name} {number}")
                sent.append(f"{node.name} {number}")
                assert idler.wait(b"EXISTS") < 2
    # In the order in which they came, whatever the clocks said.
    expected = list(enumerate(sent, 1))
    assert [_picture(node) for node in nodes] == [expected] * len(nodes)
    client = two.imap()
    client.select(readonly=True)
    _, parts = client.fetch("1:2", "INTERNALDATE")
    client.logout()
    first, second = (time.mktime(imaplib.Internaldate2tuple(part) or ()) for part in parts)
    assert 1100 < first - second < 1300
    one.kill()
    until(lambda: two.status()["nodes"][0]["state"] == "adopted")
    assert world.findings() == []


def _picture(node: Node, user: str = "user1", folder: str = "INBOX") -> list[tuple[int, str]]:
    """UID and subject of each message, as the node shows them."""
    client = node.imap(user)
    client.select(folder, readonly=True)
    found = []
    _, parts = client.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    for part in parts:
        if isinstance(part, tuple):
            uid = int(part[0].split(b"UID ")[1].split()[0].rstrip(b")"))
            found.append((uid, part[1].decode().partition(":")[2].strip()))
    client.logout()
    return found


class Senders(contextlib.AbstractContextManager["Senders"]):
    """Clients that send without pause to a node and keep what was acknowledged, until the end of
    the block."""

    def __init__(self, node: Node, count: int, label: str = "") -> None:
        self._node, self._stop, self._label = node, threading.Event(), label
        self.acknowledged: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(one,), daemon=True) for one in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            subject = f"{self._label}-{sender}-{number}"
            try:
                self._node.send(subject=subject)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)
                continue
            self.acknowledged.append(subject)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


@two_and_three
def test_nothing_acknowledged_is_lost_with_a_node_killed_under_load(world: ClusterWorld) -> None:
    one, *others = nodes = all_nodes(world)
    two = others[0]
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Senders(node, 2, node.name)) for node in nodes]
        until(lambda: len(loads[0].acknowledged) > 30, 60)
        one.kill()
        for node in others:
            until(lambda node=node: node.status()["nodes"][0]["state"] == "adopted")
    acknowledged = [subject for load in loads for subject in load.acknowledged]
    stored = [subject for _, subject in _picture(two)]
    assert set(acknowledged) <= set(stored)
    assert world.findings() == []
    # The dead node comes back under its name and takes part again.
    one.start()
    one.send(subject="back")
    assert [subject for _, subject in _picture(two)][-1] == "back"
    assert all(_picture(node) == _picture(two) for node in nodes)


@contextlib.contextmanager
def _locked(world: ClusterWorld, user: str) -> Iterator[None]:
    """Somebody who never ends has the user's folder: every delivery fails for now."""
    (lock,) = world.root.glob(f"**/{user}/**/mailnode.lock")
    fd = os.open(lock, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def _owe(world: ClusterWorld, node: Node) -> None:
    """Let the node accept a message that it cannot deliver to user2 yet."""
    node.send("user2", "first")
    client = smtplib.SMTP(node.host, node.ports["smtp"], timeout=30)
    # Closed without QUIT: the node is dead by then, or in the middle of dying.
    with _locked(world, "user2"), contextlib.closing(client):
        to = [f"user1@{DOMAIN}", f"user2@{DOMAIN}"]
        client.sendmail(f"sender@{DOMAIN}", to, "Subject: owed\r\n\r\ntext\r\n")
        node.kill()


def test_what_a_dead_node_owes_is_delivered_by_the_survivor(world: ClusterWorld) -> None:
    one = world.node("n1", storage={"lock_timeout_s": 0.2})
    _owe(world, one)
    spool = world.root / ".mailnode/spool/n1"
    assert len(list((spool / "active").iterdir())) == 1
    (spool / "incoming/9.dead").mkdir()
    (spool / "incoming/9.dead.lock").touch()
    two = world.node("n2")
    until(lambda: [subject for _, subject in _picture(two, "user2")] == ["first", "owed"])
    until(lambda: list((spool / "active").iterdir()) == [])
    until(
        lambda: not any(entry.name.startswith("9.dead") for entry in (spool / "incoming").iterdir())
    )
    two.until_event("adopted", of="n1")
    until(lambda: two.status()["adopted"] == {"n1": 1}, 5)
    # Once, however often it is looked at.
    time.sleep(1.5)
    assert [subject for _, subject in _picture(two, "user2")] == ["first", "owed"]
    assert [subject for _, subject in _picture(two, "user1")] == ["owed"]
    assert world.findings() == []


LATE = b"Subject: late\r\n\r\ntext\r\n"


def _is_taken(ask: Callable[[], bool]) -> bool:
    """Whether a client got its positive answer; no answer is none."""
    try:
        return ask()
    except (smtplib.SMTPException, imaplib.IMAP4.error, OSError):
        return False


def test_frozen_node_keeps_its_lease_until_a_person_says_that_it_is_off(
    world: ClusterWorld,
) -> None:
    one, two = world.node("n1"), world.node("n2")
    with contextlib.closing(smtplib.SMTP(one.host, one.ports["smtp"], timeout=20)) as talk:
        talk.ehlo()
        talk.mail(f"sender@{DOMAIN}")
        talk.rcpt(f"user1@{DOMAIN}")
        client = one.imap()
        one.signal_all(signal.SIGSTOP)
        time.sleep(1.5)
        assert {n["node"]: n["state"] for n in two.status()["nodes"]} == {
            "n1": "serves",
            "n2": "serves",
        }
        refused = two.command("cluster", "takeover", "n1")
        assert refused.returncode == 2
        assert "--fenced" in refused.stderr
        taken = two.command("cluster", "takeover", "n1", "--fenced")
        assert taken.returncode == 0, taken.stderr
        pids = one.processes()
        one.signal_all(signal.SIGCONT)
        # It woke up under a lease that is another's: not one acknowledgement more.
        assert not _is_taken(lambda: talk.data(LATE.decode())[0] == 250)
        assert not _is_taken(lambda: client.append("INBOX", "", "", LATE)[0] == "OK")
        for pid in pids[1:]:
            one.until_gone(pid)
        assert one.wait() == 1
        assert one.events("lease")[-1]["holding"] == "lost"
        client.shutdown()
    two.send(subject="still here")
    one.start()
    one.send(subject="back")
    assert [subject for _, subject in _picture(one)][-2:] == ["still here", "back"]
    assert world.findings() == []


def test_takeover_of_a_dead_node_needs_no_word(world: ClusterWorld) -> None:
    one = world.node("n1", storage={"lock_timeout_s": 0.2})
    _owe(world, one)
    two = world.node("n2", cluster={"takeover_s": 1.0})
    done = two.command("cluster", "takeover", "n1", "--within", "20")
    assert done.returncode == 0, done.stderr + done.stdout
    assert [subject for _, subject in _picture(two, "user2")] == ["first", "owed"]
    assert two.command("cluster", "takeover", "n7").returncode == 2
    assert two.command("cluster", "takeover", "n2").returncode == 2


def test_second_node_of_the_same_name_is_refused_and_says_why(world: ClusterWorld) -> None:
    one = world.node("n1")
    twin = Node("n2", world, server={"node": "n1"}, cluster={"listen": []})
    twin.launch()
    assert twin.wait() == 1
    said = (twin.folder / "stderr").read_text()
    assert "already serves" in said
    assert f"process {one.process.pid if one.process else 0}" in said
    one.send()


def test_monitor_tells_each_state_in_time(world: ClusterWorld) -> None:
    one = world.node("n1", server={"stuck_s": 60})
    for level in ("0", "10"):
        assert one.command("cluster", "monitor", "--level", level).returncode == 0
    worker = one.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    assert one.command("cluster", "monitor").returncode == 1
    os.kill(worker, signal.SIGCONT)
    until(lambda: one.command("cluster", "monitor").returncode == 0)
    assert one.process
    one.signal(signal.SIGSTOP)
    assert one.command("cluster", "monitor", "--level", "10").returncode == 1
    one.signal(signal.SIGCONT)
    until(lambda: one.command("cluster", "monitor").returncode == 0)
    world.root.rename(world.folder / "away")
    until(lambda: one.command("cluster", "monitor").returncode == 1, 5)
    (world.folder / "away").rename(world.root)
    until(lambda: one.command("cluster", "monitor", "--level", "10").returncode == 0, 5)
    one.kill()
    for level in ("0", "10"):
        done = one.command("cluster", "monitor", "--level", level)
        assert (done.returncode, done.stdout) == (7, "mailnode is not running\n")


def test_planned_move_of_an_address_breaks_no_transaction(world: ClusterWorld) -> None:
    moving = "127.0.0.21"
    both = {
        name: [f"127.0.0.11:{port}", f"{moving}:{port}"]
        for name, port in (("smtp", _free()), ("imap", _free()))
    }
    one = world.node("n1", listen=dict(both), server={"workers": 2})
    stays = Idler(one)
    one.host = moving
    idles = Idler(one)
    talk = smtplib.SMTP(moving, one.ports["smtp"], timeout=20)
    talk.ehlo()
    talk.mail(f"sender@{DOMAIN}")
    talk.rcpt(f"user1@{DOMAIN}")
    done = threading.Event()
    answers: list[int] = []

    def drain() -> None:
        command = ("cluster", "drain", "--within", "15", "--address", moving)
        answers.append(one.command(*command).returncode)
        done.set()

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    idles.wait(b"BYE")
    assert not done.is_set(), "drained though a transaction is open"

    def turned_away(protocol: str, answer: bytes) -> bool:
        with one.connect(protocol) as late:
            return late.recv(500).startswith(answer)

    # Each worker hears of it for itself: the other one may be a moment behind.
    until(lambda: turned_away("smtp", b"421"))
    until(lambda: turned_away("imap", b"* BYE"))
    assert talk.data("Subject: on the move\r\n\r\ntext\r\n")[0] == 250
    thread.join(20)
    assert answers == [0]
    # The other address serves on, and heard of the message.
    stays.wait(b"EXISTS")
    one.host = "127.0.0.11"
    one.send(subject="stays")
    stays.wait(b"EXISTS")
    assert one.command("cluster", "monitor", "--level", "0").returncode == 0
    assert one.command("cluster", "undrain", "--address", moving).returncode == 0
    one.host = moving

    def welcome() -> bool:
        with one.connect("smtp") as again:
            return again.recv(500).startswith(b"220")

    until(welcome)
    stays.close()
    idles.close()
    talk.close()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_drained_node_turns_all_away_until_it_is_taken_back_even_after_a_restart(
    world: ClusterWorld,
) -> None:
    one, two = world.node("n1"), world.node("n2")
    # Said on the other node.
    assert two.command("cluster", "drain", "n1").returncode == 0

    def turned_away() -> bool:
        with one.connect("smtp") as sock:
            return sock.recv(500).startswith(b"421")

    until(turned_away)
    until(lambda: one.command("cluster", "monitor").returncode == 1, 5)
    one.stop()
    one.start()
    until(turned_away)
    two.send(subject="the other serves")
    assert two.command("cluster", "undrain", "n1").returncode == 0
    until(lambda: not turned_away())
    until(lambda: one.command("cluster", "monitor", "--level", "10").returncode == 0)
