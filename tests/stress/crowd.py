"""Several processes of several clients each, let loose on the same mailboxes; then silence, and
every client, and a new one on each node, must believe the same."""

from __future__ import annotations

import multiprocessing
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.stress.client import (
    FULL_RIGHTS,
    LASTING_FOLDERS,
    PASSING_FOLDERS,
    SHARED_FOLDERS,
    SHIFTING,
    Client,
    Place,
)
from tests.stress.facts import Facts, Key, conflicts
from tests.stress.steps import Stepper
from tests.stress.talk import Gone, Wrong
from tests.support.processes import children

PATIENCE_S = 120.0
# Of the clients of those with whom mailboxes are shared, one in so many.
READERS_ARE = 3


@dataclass(frozen=True)
class Belief:
    """What a client believes of a mailbox in the end; ``user``: whose \\Seen it is."""

    user: str
    uids: list[int]
    flags: dict[int, frozenset[str]]

    def common(self, uid: int, other: Belief) -> frozenset[str]:
        """The flags that both must know alike."""
        return self.flags[uid] - (frozenset() if self.user == other.user else {"\\Seen"})


@dataclass(frozen=True)
class Order:
    """What one process is to do."""

    number: int
    clients: int
    places: list[Place]
    seconds: float
    seed: int
    trace: Path | None = None


@dataclass
class Outcome:
    """What one process has to say."""

    wrong: list[str] = field(default_factory=list)
    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)  # connections that the server ended
    facts: dict[Key, Hashable] = field(default_factory=dict)
    # By MAILBOXID and client.
    beliefs: dict[str, dict[str, Belief]] = field(default_factory=dict)


def prepare(places: list[Place]) -> None:
    """The folders that last, and who may read them."""
    client = Client("first", [places[0]], Facts(), 1)
    client.connect(())
    for name in (*LASTING_FOLDERS[1:], *PASSING_FOLDERS[:2]):
        client.ask("CREATE", f"CREATE {name}", ("ALREADYEXISTS",))
    share(client, readers(places), SHARED_FOLDERS)
    if any(place.smtp for place in places):
        # RFC 4314 2.1: mail may be sent to the folder.
        client.ask("SETACL", f"SETACL {SHARED_FOLDERS[0]} anyone p")
    client.close()


def share(client: Client, others: list[Place], names: Sequence[str]) -> None:
    """Every right to all of them."""
    for name in names:
        for user in sorted({one.user for one in others}):
            client.ask("SETACL", f"SETACL {name} {user} {FULL_RIGHTS}")


def readers(places: list[Place]) -> list[Place]:
    """The ways of those with whom the owner shares."""
    return [place for place in places if place.owner]


def let_loose(
    places: list[Place],
    clients: int,
    processes: int,
    seconds: float,
    seed: int,
    trace: Path | None = None,
) -> Outcome:
    """All of them; what came of it, laid together. ``trace``: a folder for all that was said."""
    prepare(places)
    spawn = multiprocessing.get_context("spawn")
    results: Queue[Outcome] = spawn.Queue()
    meet = spawn.Barrier(processes)
    each = [clients // processes + (at < clients % processes) for at in range(processes)]
    orders = [
        Order(at, count, places, seconds, seed * 1000 + at * 100, trace)
        for at, count in enumerate(each)
    ]
    crew = [
        spawn.Process(target=work, args=(order, results, meet), daemon=True) for order in orders
    ]
    with children(*crew):
        found = [results.get(timeout=seconds + PATIENCE_S) for _ in crew]
        for process in crew:
            process.join(PATIENCE_S)
    results.close()
    return together(found)


def together(found: list[Outcome]) -> Outcome:
    """What all processes say, and where they contradict each other."""
    every = Outcome()
    for one in found:
        every.wrong += one.wrong
        every.steps += one.steps
        every.counts += one.counts
        every.ends += one.ends
        for folder, beliefs in one.beliefs.items():
            every.beliefs.setdefault(folder, {}).update(beliefs)
    every.wrong += conflicts([one.facts for one in found])[:20]
    for folder, beliefs in every.beliefs.items():
        first: dict[str, str] = {}  # by user, who is compared with all others of his
        for name, belief in beliefs.items():
            for other in {first.setdefault(belief.user, name), next(iter(beliefs))} - {name}:
                who = f"{folder}: {other} and {name}"
                every.wrong += [f"{who} {one}" for one in _differences(beliefs[other], belief)]
    return every


def _differences(one: Belief, other: Belief) -> list[str]:
    if one.uids != other.uids:
        return [f"differ in {sorted(set(one.uids) ^ set(other.uids))}"]
    pairs = [(uid, one.common(uid, other), other.common(uid, one)) for uid in one.uids]
    return [
        f"differ in flags of {uid}: {sorted(flags)}, {sorted(others)}"
        for uid, flags, others in pairs
        if flags != others
    ][:5]


def work(order: Order, results: Queue[Outcome], meet: Barrier) -> None:
    """One process."""
    facts, outcome, lock = Facts(), Outcome(), threading.Lock()
    steppers = [_stepper(order, at, facts) for at in range(order.clients)]
    _all(_live, steppers, order, outcome, lock)
    meet.wait(PATIENCE_S)
    if order.number == 0:
        _all_may_read(order)
    meet.wait(PATIENCE_S)
    _all(_calm, steppers, order, outcome, lock)
    meet.wait(PATIENCE_S)
    outcome.facts = facts.values
    results.put(outcome)


def _stepper(order: Order, at: int, facts: Facts) -> Stepper:
    shared = readers(order.places)
    own = [place for place in order.places if not place.owner]
    name, seed = f"c{order.number}x{at}", order.seed + at
    if shared and at % READERS_ARE == READERS_ARE - 1:
        return Stepper(Client(name, shared, facts, seed, order.trace))
    return Stepper(Client(name, own, facts, seed, order.trace), tuple(shared))


def _all_may_read(order: Order) -> None:
    """What the owner took from readers they get back."""
    client = Client("last", order.places[:1], Facts(), 1)
    client.connect(())
    share(client, readers(order.places), [SHIFTING])
    client.close()


Work = Callable[[Stepper, Order, Outcome, threading.Lock], None]


def _all(
    what: Work, steppers: list[Stepper], order: Order, outcome: Outcome, lock: threading.Lock
) -> None:
    threads = [
        threading.Thread(target=_guarded, args=(what, one, order, outcome, lock), daemon=True)
        for one in steppers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _guarded(
    what: Work, stepper: Stepper, order: Order, outcome: Outcome, lock: threading.Lock
) -> None:
    client = stepper.client
    try:
        what(stepper, order, outcome, lock)
    except Exception as error:
        last = b"\n  ".join(client.talk.last[-30:] if client.talk else ())
        where = "" if isinstance(error, Wrong) else traceback.format_exc()
        with lock:
            outcome.wrong.append(
                f"{client.name} {sorted(client.traits)} in {client.folder or 'no folder'}: "
                f"{error!r}\n{where}  {last.decode('utf-8', 'replace')}"
            )
        client.close()


def _live(stepper: Stepper, order: Order, outcome: Outcome, lock: threading.Lock) -> None:
    client, end, steps = stepper.client, time.monotonic() + order.seconds, 0
    try:
        while time.monotonic() < end:
            try:
                stepper.step()
            except Gone as gone:
                _justify(client, gone)
                with lock:
                    outcome.ends[gone.said.decode("utf-8", "replace")[:60].strip()] += 1
                client.memories.pop(client.folder, None)
                client.close()
            steps += 1
    finally:
        with lock:
            outcome.steps += steps
            outcome.counts.update(client.counts)


def _justify(client: Client, gone: Gone) -> None:
    """RFC 2180 3.3: who has a folder selected that is deleted is sent away, and who may not read
    it any more; nobody else."""
    passing = client.folder in PASSING_FOLDERS or client.loose
    if not passing or not gone.said.startswith(b"* BYE [UNAVAILABLE]"):
        raise Wrong(f"the server ended it: {gone.said!r}")


def _calm(stepper: Stepper, order: Order, outcome: Outcome, lock: threading.Lock) -> None:
    if stepper.client.folder in PASSING_FOLDERS or stepper.client.loose:
        stepper.client.close()  # it may be deleted or taken from us, which ends a session
    # What it has selected, it must have followed; the others it opens anew.
    names = sorted(LASTING_FOLDERS, key=lambda name: name != stepper.client.folder)
    for name in names:
        belief = Belief(stepper.client.user, *stepper.settle(name))
        with lock:
            mailbox = stepper.client.ids[name]
            outcome.beliefs.setdefault(mailbox, {})[stepper.client.name] = belief
    stepper.client.close()
