"""What it saves that workers keep to a core each: python -m bench.cores [--messages N] [--rounds N]

Deliveries to one warm server whose workers' threads are let go and bound again by turns, so that
nothing else differs. Needs two cores or more, and as many workers.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from bench.ours import ours
from bench.scenarios.deliver import SPARE_USERS, Load, run, send, settle
from bench.server import Server


def main(words: Sequence[str] | None = None) -> int:
    """Print each round's rate and CPU, both ways."""
    parser = argparse.ArgumentParser(prog="bench.cores", description=__doc__)
    parser.add_argument("--messages", type=int, default=2500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(words)
    cores = sorted(os.sched_getaffinity(0))
    load = Load("deliver", options.messages)
    with ours(options.messages + SPARE_USERS, workers=len(cores)) as server:
        # The kernel chooses who takes a connection: each worker has to meet the users first.
        send(server, load)
        settle(server)
        for _ in range(options.rounds):
            for name, groups in (("anywhere", [cores]), ("a core each", [[one] for one in cores])):
                _bind(server, groups)
                figures = {one.name: one.value for one in run(server, load).figures}
                rate, cpu = figures["delivered and durable"], figures["CPU"]
                print(f"{name:12} {rate:6.0f} msg/s {cpu:5.2f} ms of CPU a message", flush=True)
    return 0


def _bind(server: Server, groups: Sequence[Sequence[int]]) -> None:
    """Every thread of each worker to the cores of a group, by turns; the supervisor as it is."""
    _supervisor, *workers = server.pids()
    for number, pid in enumerate(workers):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), groups[number % len(groups)])


if __name__ == "__main__":
    raise SystemExit(main())
