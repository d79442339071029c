"""Runs scenarios on mailnode and on the peer, one server at a time, within a bounded time.

Promises: what fails or takes too long is a result, not the end; nothing begins when the time is
up; after each measurement everything that was found so far is handed on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.clock import Overtime, bounded, say
from bench.machine import Watch
from bench.ours import NAME
from bench.peers.stack import NAME as PEER
from bench.peers.stack import peer
from bench.plan import Scenario, Start
from bench.result import Result

# A measurement may take so many times what it takes on a quiet machine, and so much more.
_PATIENCE, _SPARE_S = 4.0, 45.0
# With less time than this left nothing is begun any more.
_LEAST_S = 10.0


@dataclass(slots=True)
class Comparison:
    """``alone``: mailnode only. ``keep`` is called with all results after each measurement."""

    scenarios: Sequence[tuple[str, Scenario]]
    scale: float
    limit_s: float
    alone: bool
    keep: Callable[[list[Result]], None]
    results: list[Result] = field(default_factory=list)

    def run(self) -> list[Result]:
        """Measure everything, print what comes of it; all results."""
        count, planned_s = len(self.scenarios), self._planned_s(0)
        most = f"at most {self.limit_s / 60:.0f} min"
        say(f"{count} scenarios, planned: {planned_s / 60:.1f} min on 2 quiet cores, {most}")
        began = time.monotonic()
        until = began + self.limit_s
        for number, (name, scenario) in enumerate(self.scenarios):
            for server, start in self._sides(scenario):
                title = f"[{number + 1}/{count}] {name} on {server}"
                self._measure(title, name, scenario, server, start, until)
            now = time.monotonic()
            ahead_s = self._planned_s(number + 1)
            pace = (now - began) / max(1.0, planned_s - ahead_s)
            if ahead_s:
                left_s = min(ahead_s * pace, max(0.0, until - now))
                say(f"about {left_s / 60:.1f} min left")
        return self.results

    def _planned_s(self, first: int) -> float:
        left = self.scenarios[first:]
        return sum(one.planned_s(self.scale, alone=self.alone) for _, one in left)

    def _sides(self, scenario: Scenario) -> list[tuple[str, Start]]:
        mine = (NAME, scenario.mine)
        return [mine] if self.alone or not scenario.beside else [mine, (PEER, peer)]

    def _measure(
        self, title: str, name: str, scenario: Scenario, server: str, start: Start, until: float
    ) -> None:
        began, before, failure = time.monotonic(), len(self.results), ""
        limit_s = scenario.planned_s(self.scale, alone=self.alone) * _PATIENCE + _SPARE_S
        try:
            self._bounded(title, scenario, start, min(limit_s, until - began))
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, it is a result
            failure = str(error) or type(error).__name__
        if not failure and len(self.results) == before:
            failure = "no result"
        if failure:
            say(f"{title} FAILED: {failure}")
            self.results.append(Result(name, server, [], [failure]))
        self.results[-1].facts["seconds"] = round(time.monotonic() - began, 1)
        self.keep(self.results)

    def _bounded(self, title: str, scenario: Scenario, start: Start, limit_s: float) -> None:
        if limit_s < _LEAST_S:
            raise Overtime("not begun: the time of the whole run is up")

        def tick(gone_s: float) -> None:
            load = os.getloadavg()[0]
            say(f"{title}: {gone_s:.0f} s, at most {limit_s:.0f}; load average {load:.1f}")

        # The clock is off when the server is stopped: that is not cut short.
        with ExitStack() as servers, bounded(limit_s, tick):
            server = servers.enter_context(start(scenario.users(self.scale)))
            watch = Watch(server.cpu_s())
            for result in scenario.run(server, self.scale):
                result.facts |= watch.facts(server.cpu_s())
                for figure in result.figures:
                    figure.most = scenario.most.get(figure.name, figure.most)
                self.results.append(result)
                first = result.figures[0]
                say(f"{title}: {result.scenario} {first.value:.1f} {first.unit} ({first.name})")
                watch = Watch(server.cpu_s())
