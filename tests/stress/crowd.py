"""Several processes of several clients each, let loose on the same mailboxes; then silence, and
every client, and a new one on each node, must believe the same."""

from __future__ import annotations

import multiprocessing
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.stress.client import LASTING_FOLDERS, PASSING_FOLDERS, Client, Place
from tests.stress.facts import Facts, Key, conflicts
from tests.stress.steps import Stepper
from tests.stress.talk import Gone, Wrong

PATIENCE_S = 120.0
Belief = tuple[list[int], dict[int, frozenset[str]]]


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
    beliefs: dict[str, dict[str, Belief]] = field(default_factory=dict)  # by folder and client


def prepare(place: Place) -> None:
    """The folders that last."""
    client = Client("first", [place], Facts(), 1)
    client.connect()
    for name in (*LASTING_FOLDERS[1:], *PASSING_FOLDERS[:2]):
        client.ask("CREATE", f"CREATE {name}", ("ALREADYEXISTS",))
    client.close()


def let_loose(
    places: list[Place],
    clients: int,
    processes: int,
    seconds: float,
    seed: int,
    trace: Path | None = None,
) -> Outcome:
    """All of them; what came of it, laid together. ``trace``: a folder for all that was said."""
    prepare(places[0])
    spawn = multiprocessing.get_context("spawn")
    results: Queue[Outcome] = spawn.Queue()
    meet = spawn.Barrier(processes)
    each = [clients // processes + (at < clients % processes) for at in range(processes)]
    orders = [
        Order(at, count, places, seconds, seed * 1000 + at * 100, trace)
        for at, count in enumerate(each)
    ]
    crew = [spawn.Process(target=work, args=(order, results, meet)) for order in orders]
    for process in crew:
        process.start()
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
        first, *others = beliefs.items()
        for name, belief in others:
            every.wrong += _differences(folder, (first[0], name), (first[1], belief))
    return every


def _differences(folder: str, names: tuple[str, str], beliefs: tuple[Belief, Belief]) -> list[str]:
    (uids, flags), (others, other_flags) = beliefs
    who = f"{folder}: {names[0]} and {names[1]}"
    if uids != others:
        return [f"{who} differ in {sorted(set(uids) ^ set(others))}"]
    wrong = [uid for uid in uids if flags[uid] != other_flags[uid]]
    return [
        f"{who} differ in flags of {uid}: {sorted(flags[uid])}, {sorted(other_flags[uid])}"
        for uid in wrong[:5]
    ]


def work(order: Order, results: Queue[Outcome], meet: Barrier) -> None:
    """One process."""
    facts, outcome, lock = Facts(), Outcome(), threading.Lock()
    steppers = [
        Stepper(Client(f"c{order.number}x{at}", order.places, facts, order.seed + at, order.trace))
        for at in range(order.clients)
    ]
    _all(_live, steppers, order, outcome, lock)
    meet.wait(PATIENCE_S)
    _all(_calm, steppers, order, outcome, lock)
    meet.wait(PATIENCE_S)
    outcome.facts = facts.values
    results.put(outcome)


Work = Callable[[Stepper, Order, Outcome, threading.Lock], None]


def _all(
    what: Work, steppers: list[Stepper], order: Order, outcome: Outcome, lock: threading.Lock
) -> None:
    threads = [
        threading.Thread(target=_guarded, args=(what, one, order, outcome, lock))
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
    """RFC 2180 3.3: who has a folder selected that is deleted is sent away; nobody else."""
    if client.folder not in PASSING_FOLDERS or not gone.said.startswith(b"* BYE [UNAVAILABLE]"):
        raise Wrong(f"the server ended it: {gone.said!r}")


def _calm(stepper: Stepper, order: Order, outcome: Outcome, lock: threading.Lock) -> None:
    if stepper.client.folder in PASSING_FOLDERS:
        stepper.client.close()  # it may be deleted by now, which ends a session
    # What it has selected, it must have followed; the others it opens anew.
    names = sorted(LASTING_FOLDERS, key=lambda name: name != stepper.client.folder)
    for name in names:
        belief = stepper.settle(name)
        with lock:
            outcome.beliefs.setdefault(name, {})[stepper.client.name] = belief
    stepper.client.close()
