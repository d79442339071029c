"""mailnode beside Postfix + Dovecot, in one run: python -m bench [SCENARIO ...]

Each scenario is run on mailnode, then on the peer (both freshly started, on loopback, one at a
time), and everything is stopped and removed at the end. Without names the whole comparison runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from bench import machine, report
from bench.instance import allow_many_sockets
from bench.ours import NAME, ours, ours_on_mysql
from bench.peers.stack import missing, peer
from bench.plan import SCENARIOS, Scenario
from bench.result import Result
from bench.scenarios import failover
from bench.server import Server


def main() -> None:
    """Run what was asked for; write JSON and HTML, print the table."""
    if sys.argv[1:2] == ["failover"]:
        sys.exit(failover.main(sys.argv[2:]))
    options = _options()
    allow_many_sockets()
    chosen = [SCENARIOS[name] for name in options.scenarios or SCENARIOS]
    reason = "" if options.alone else missing()
    if reason:
        _say(f"no comparison: {reason}")
    facts = machine.facts()
    results: list[Result] = []
    for scenario in chosen:
        mine = ours_on_mysql if scenario.mysql else ours
        for start in (mine,) if options.alone or reason else (mine, peer):
            results += _measure(scenario, start, options.scale)
            _keep(options.out, results, facts)
    print(report.table(results, NAME))
    _say(f"written: {options.out}/results.json, {options.out}/report.html")
    if any(one.failures for one in results):
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder to write")
    parser.add_argument("--alone", action="store_true", help="mailnode only, without the peer")
    parser.add_argument("--scale", type=float, default=1.0, help="fewer or more messages")
    parser.epilog = "scenarios: " + ", ".join(SCENARIOS) + "; alone and by itself: failover"
    return parser.parse_args()


def _measure(
    scenario: Scenario, start: Callable[[int], AbstractContextManager[Server]], scale: float
) -> list[Result]:
    with start(scenario.users(scale)) as server:
        results = []
        for result in scenario.run(server, scale):
            first = result.figures[0]
            _say(f"{result.scenario}: {server.name} {first.value:.1f} {first.unit}")
            results.append(result)
        return results


def _keep(folder: Path, results: list[Result], facts: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"machine": facts, "results": [one.plain() for one in results]}
    (folder / "results.json").write_text(json.dumps(plain, indent=1) + "\n")
    (folder / "report.html").write_text(report.page(results, NAME, facts))


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
