"""A takeover as clients feel it: python -m bench failover

Two machines of network namespaces with real Heartbeat and the shipped configuration, fencing
included; the owner of an address is killed (SIGKILL to its init: a power cut) while clients send to
both addresses and read from them. Written: ``failover.json`` and ``failover.svg``, delivery and
IMAP latency over time. Needs root and the packages of tests/support/packages-cluster.txt.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import machine
from bench.charts import GRID, svg, text
from bench.leftovers import working_folder
from bench.ours import NAME
from bench.result import Figure, Result
from tests.support.failover_clients import Greeter, Reader, Sender, in_network
from tests.support.failover_traffic import stored_at
from tests.support.heartbeat_pair import DOMAIN, SERVICE, Pair, pair_of, why_no_heartbeat

_BEFORE_S, _AFTER_S = 6.0, 10.0
Facts = dict[str, object]
Points = list[tuple[float, float]]


def main(words: Sequence[str]) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="bench failover", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder to write")
    parser.add_argument("--deadtime", type=float, default=0.0, help="s; 0: as shipped")
    options = parser.parse_args(words)
    if reason := why_no_heartbeat():
        print(f"no failover here: {reason}", file=sys.stderr)
        return 2
    facts = run(deadtime_s=options.deadtime)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "failover.json").write_text(json.dumps(facts, indent=1) + "\n")
    (options.out / "failover.svg").write_text(picture(facts))
    summary = {key: facts[key] for key in ("deadtime_s", "gap_s", "acknowledged", "lost")}
    print(json.dumps(summary), f"written: {options.out}/failover.json, failover.svg", sep="\n")
    return 1 if facts["lost"] else 0


def result() -> Result:
    """A takeover as a scenario among others. Raises ``SystemExit`` where there can be none."""
    if reason := why_no_heartbeat():
        raise SystemExit(f"no failover here: {reason}")
    facts = run()
    figures = [
        Figure("without a greeting", "s", float(str(facts["gap_s"])), more=False),
        Figure("address moved", "s", float(str(facts["moved_s"])), more=False),
        Figure("acknowledged", "messages", float(str(facts["acknowledged"]))),
    ]
    lost = [f"{facts['lost']} acknowledged messages are lost"] if facts["lost"] else []
    told = {"deadtime, s": facts["deadtime_s"]}
    return Result("failover", NAME, figures, lost, told, picture(facts))


def run(*, deadtime_s: float = 0.0) -> Facts:
    """One takeover; times in seconds from the kill, latencies in milliseconds."""
    with (
        working_folder("mailnode-ha-") as folder,
        pair_of(Pair, folder, deadtime_s=deadtime_s) as pair,
    ):
        pair.start()
        return _take_over(pair)


def _take_over(pair: Pair) -> Facts:
    senders = {name: Sender(pair.hub, SERVICE[name], "user1", name) for name in SERVICE}
    readers = {name: Reader(pair.hub, SERVICE[name], "user1") for name in SERVICE}
    greeter = Greeter(pair.hub, SERVICE["n1"])
    with ExitStack() as stack:
        for client in (greeter, *senders.values(), *readers.values()):
            stack.enter_context(client)
        pair.until(lambda: bool(readers["n1"].latencies), "no reader is served")
        time.sleep(_BEFORE_S)
        killed = time.monotonic()
        pair.machines["n1"].power_off()
        pair.until_owned("n2", "n2")
        moved = time.monotonic()
        # Both clients of the address that moved, and then some seconds to see it calm down.
        pair.until(lambda: readers["n1"].latencies[-1][0] > moved, "the reader is not back")
        time.sleep(_AFTER_S)
    # Looked at when the last sender has ended.
    _, found = in_network(pair.hub, lambda: stored_at(SERVICE["n2"]))
    stored = set(found.values())
    acknowledged = {s for one in senders.values() for s in one.acknowledged}
    return {
        "machine": machine.facts(),
        "deadtime_s": pair.plan.deadtime_s,
        "gap_s": round(greeter.longest_gap_s(killed), 2),
        "fenced_s": [round(at - killed, 2) for at, _ in pair.switch.shot],
        "moved_s": round(moved - killed, 2),
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - stored),
        "greetings": [
            [round(one.at - killed, 3), one.host.removesuffix(f".{DOMAIN}")]
            for one in greeter.greetings
        ],
        "delivery_ms": {name: _since(one.latencies, killed) for name, one in senders.items()},
        "imap_ms": {name: _since(one.latencies, killed) for name, one in readers.items()},
    }


def _since(latencies: Points, killed: float) -> Points:
    return [(round(at - killed, 3), round(took * 1000, 1)) for at, took in latencies]


# -- the picture -------------------------------------------------------------------------------

_WIDTH, _LEFT, _PANEL, _TOP, _SPACE = 860, 64, 190, 78, 44
_MS = (1, 10_000)
_COLOURS = {"n1": "#c2410c", "n2": "#1d4ed8"}


def picture(facts: Facts) -> str:
    """The SVG of one run; it needs nothing beside itself."""
    panels = [
        ("SMTP: a connection, a message, its 250 (ms)", facts["delivery_ms"]),
        ("IMAP: SELECT and FETCH of what is new (ms)", facts["imap_ms"]),
    ]
    height = _TOP + len(panels) * (_PANEL + _SPACE) + 56
    title = (
        f"The owner of an address is killed: {facts['gap_s']} s without a greeting, "
        f"{facts['lost']} of {facts['acknowledged']} acknowledged messages lost"
    )
    parts = [text(_LEFT, 22, title), _legend()]
    for number, (name, points) in enumerate(panels):
        parts.append(_panel(_TOP + number * (_PANEL + _SPACE), name, points, facts))  # type: ignore[arg-type]  # as run() made them
    parts.append(_greetings(height - 48, facts))
    return svg(_WIDTH, height, "".join(parts), title)


def _legend() -> str:
    names = {"n1": "at the address that moves", "n2": "at the other node's address"}
    return "".join(
        f'<circle cx="{_LEFT + 6 + 240 * n}" cy="40" r="4" fill="{_COLOURS[key]}"/>'
        + text(_LEFT + 16 + 240 * n, 44, label)
        for n, (key, label) in enumerate(names.items())
    )


def _x(at: float) -> float:
    begin, end = -_BEFORE_S, _AFTER_S
    return round(_LEFT + (at - begin) / (end - begin) * (_WIDTH - _LEFT - 20), 1)


def _y(top: int, took_ms: float) -> float:
    low, high = map(math.log10, _MS)
    share = (math.log10(min(max(took_ms, _MS[0]), _MS[1])) - low) / (high - low)
    return round(top + _PANEL * (1 - share), 1)


def _panel(top: int, name: str, points: dict[str, Points], facts: Facts) -> str:
    parts = [text(_LEFT, top - 6, name), _marks(top, facts)]
    for power in range(5):
        y = _y(top, 10**power)
        parts.append(f'<path stroke="{GRID}" d="M{_LEFT} {y}H{_WIDTH - 20}"/>')
        parts.append(text(_LEFT - 8, y + 4, str(10**power), "end"))
    parts += [
        text(_x(second), top + _PANEL + 16, f"{second} s", "middle")
        for second in range(-int(_BEFORE_S), int(_AFTER_S) + 1, 2)
    ]
    for node, pairs in points.items():
        parts += [
            f'<circle cx="{_x(at)}" cy="{_y(top, took)}" r="2.2" fill="{_COLOURS[node]}"/>'
            for at, took in pairs
            if -_BEFORE_S <= at <= _AFTER_S
        ]
    return "".join(parts)


def _marks(top: int, facts: Facts) -> str:
    moved = float(str(facts["moved_s"]))
    width = round(_x(moved) - _x(0), 1)
    return (
        f'<rect x="{_x(0)}" y="{top}" width="{width}" height="{_PANEL}" fill="#fde68a"/>'
        f'<path stroke="#b91c1c" d="M{_x(0)} {top}v{_PANEL}"/>'
        + text(_x(0) + 4, top + 14, "killed")
    )


def _greetings(top: int, facts: Facts) -> str:
    found: list[tuple[float, str]] = facts["greetings"]  # type: ignore[assignment]  # as run() made them
    ticks = "".join(
        f'<path stroke="{_COLOURS[host]}" d="M{_x(at)} {top + 10}v16"/>'
        for at, host in found
        if -_BEFORE_S <= at <= _AFTER_S and host in _COLOURS
    )
    return text(_LEFT, top + 4, "Each greeting at that address, by the node that gave it") + ticks
