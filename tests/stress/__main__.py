"""Random clients on the same mailboxes, each checking all it is told: python -m tests.stress

Starts a server of its own (or two nodes on one mail root) and lets clients loose on it for some
seconds a seed; says what was wrong, what was done, and with which seed to see it again. With
``--host`` it is another server that is tried (a test account only: everything in it is changed).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stress.client import Place
from tests.stress.crowd import Outcome, let_loose
from tests.stress.worlds import World, cluster, single


def main(words: list[str]) -> int:
    """Exit status 1: something was wrong."""
    options = _options(words)
    end, seed, bad, steps = time.monotonic() + options.total, options.seed, 0, 0
    while True:
        found = _one(options, seed)
        steps += found.steps
        bad += bool(found.wrong)
        state = f"{len(found.wrong)} wrong" if found.wrong else "nothing wrong"
        ends = sum(found.ends.values())
        commands = sum(found.counts.values())
        print(f"seed {seed}: {state}; {found.steps} steps, {commands} commands, {ends} BYE",
              flush=True)  # fmt: skip
        for one in found.wrong[: options.show]:
            print(one, flush=True)
        seed += 1
        if time.monotonic() >= end or (bad and options.first):
            break
    print(f"{seed - options.seed} seeds, {steps} steps, {bad} seeds with something wrong")
    return 1 if bad else 0


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests.stress", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20, help="for each seed")
    parser.add_argument("--total", type=float, default=0, help="seconds for further seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--first", action="store_true", help="stop after the first bad seed")
    parser.add_argument("--show", type=int, default=3, help="what was wrong: how many of it")
    parser.add_argument("--trace", type=Path, help="a new folder for all that is said")
    parser.add_argument("--host", help="a server that runs already")
    parser.add_argument("--port", type=int, default=143)
    parser.add_argument("--user")
    parser.add_argument("--password")
    return parser.parse_args(words)


def _one(options: argparse.Namespace, seed: int) -> Outcome:
    with _world(options) as (places, faults):
        trace = options.trace and options.trace / str(seed)
        if trace:
            trace.mkdir(parents=True)
        crowd = options.clients, options.processes
        found = let_loose(places, *crowd, options.seconds, seed, trace)
        found.wrong += faults()
    return found


@contextmanager
def _world(options: argparse.Namespace) -> Iterator[World]:
    if options.host:
        yield [Place(options.host, options.port, options.user, options.password)], list
        return
    with tempfile.TemporaryDirectory(prefix="stress-") as folder:
        make = single(Path(folder)) if options.nodes == 1 else cluster(Path(folder), options.nodes)
        with make as world:
            yield world


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
