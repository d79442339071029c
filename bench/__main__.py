"""mailnode beside Postfix + Dovecot, in one run: python -m bench [all | SCENARIO ...]

Each scenario is run on mailnode, then on the peer (both freshly started, on loopback, one at a
time), and everything is stopped and removed at the end. "all", or no name, is the whole comparison,
in less than 20 minutes on two cores; what fails or takes too long is reported and ends nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import flame, leftovers, machine, matrix, report
from bench.clock import heed_endings, say
from bench.comparison import Comparison
from bench.instance import allow_many_sockets
from bench.options import OneLineParser
from bench.ours import NAME
from bench.peers.stack import missing
from bench.plan import SCENARIOS, Scenario, big
from bench.result import Result
from bench.scenarios import failover

_ALL_MIN, _DAY_MIN = 19.5, 1440.0
# Each with its own options.
_OTHERS: dict[str, Callable[[Sequence[str]], int]] = {
    "failover": failover.main,
    "flame": flame.main,
}
_EPILOG = f"""scenarios: {", ".join(SCENARIOS)}
with options of their own: python -m bench failover --help, python -m bench flame --help"""


def main() -> int:
    """Run what was asked for; exit status 1: something failed, 2: wrong options."""
    heed_endings()
    words = sys.argv[1:]
    try:
        if words[:1] and words[0] in _OTHERS:
            return _OTHERS[words[0]](words[1:])
        return _compare(words)
    except KeyboardInterrupt:
        say("stopped")
        return 130


def _compare(words: Sequence[str]) -> int:
    parser = _parser()
    options = parser.parse_args(words)
    chosen = _chosen(options, parser)
    allow_many_sockets()
    reason = "" if options.alone else missing()
    if reason:
        say(f"no comparison: {reason}")
    page = options.report or options.out / "report.html"
    with leftovers.kept_until_the_end() as kept:
        facts = machine.facts()
        loads: list[float] = []

        def keep(results: list[Result]) -> None:
            loads.append(round(os.getloadavg()[0], 1))
            facts["load average after each run, lowest and highest"] = f"{min(loads)}, {max(loads)}"
            facts["kept on the disk until the end, GiB"] = round(kept.gib, 1)
            report.write(page, results, NAME, facts)

        limit_s = options.minutes * 60
        run = Comparison(chosen, options.scale, limit_s, bool(options.alone or reason), keep)
        results = run.run()
    print(report.table(results, NAME))
    say(f"written: {page}, {page.with_suffix('.json')}")
    return 1 if any(one.failures for one in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="bench",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder to write")
    parser.add_argument("--report", type=Path, help="file to write; JSON and SVG go beside it")
    parser.add_argument("--alone", action="store_true", help="mailnode only, without the peer")
    parser.add_argument("--scale", type=_scale, default=1.0, help="fewer or more messages")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=0.0,
        help=f"nothing begins after; default: {_ALL_MIN} for all, else as long as it takes",
    )
    parser.add_argument(
        "--without-text",
        action="store_true",
        help="big-mailbox: no SEARCH TEXT in more than 10000, whose index takes long to make",
    )
    matrix.add_options(parser)
    return parser


def _scale(text: str) -> float:
    found = _number(text)
    if not 0.001 <= found <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.001 and 1000")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _minutes(text: str) -> float:
    found = _number(text)
    if not 1 <= found <= 1440:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1440")
    return found


def _chosen(
    options: argparse.Namespace, parser: argparse.ArgumentParser
) -> list[tuple[str, Scenario]]:
    """What is to be run; sets the time when there is none. Ends the program on wrong options."""
    names = options.scenarios
    unknown = [name for name in names if name not in ("all", *SCENARIOS)]
    if unknown:
        parser.error(f"no scenario {unknown[0]}; there are: all, {', '.join(SCENARIOS)}")
    everything = not names or "all" in names
    options.minutes = options.minutes or (_ALL_MIN if everything else _DAY_MIN)
    if matrix.asked(options):
        if names != ["deliver"]:
            parser.error("size, sessions and the like are options of deliver alone")
        return [matrix.scenario(options, parser)]
    found = dict(SCENARIOS)
    if options.without_text:
        found["big-mailbox"] = big(text=False)
    return list(found.items()) if everything else [(n, found[n]) for n in dict.fromkeys(names)]


if __name__ == "__main__":
    sys.exit(main())
