"""What a scenario found: figures with units, and which way is better."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

_PASSWORD = re.compile(r"(LOGIN \S+) \S+")


@dataclass(slots=True)
class Figure:
    """One number. ``more`` is True where more is better; ``goal`` is the ratio to reach beside the
    peer, ``most`` what mailnode itself must not exceed, in the figure's unit; 0: none. ``rounds``:
    what it is the median of, in the order of measurement; empty where it was measured once."""

    name: str
    unit: str
    value: float = 0.0
    more: bool = True
    goal: float = 0.0
    most: float = 0.0
    rounds: list[float] = field(default_factory=list)

    @property
    def spread(self) -> str:
        """The lowest and the highest of its rounds, in words; empty where there is one only."""
        if len(self.rounds) < 2:
            return ""
        return f"{min(self.rounds):,.2f} to {max(self.rounds):,.2f}"


def median(figure: Figure, rounds: Sequence[float]) -> Figure:
    """The figure with what was found in each round, and their median."""
    return replace(figure, value=statistics.median(rounds), rounds=list(rounds))


@dataclass(slots=True)
class Result:
    """A scenario on one server; ``picture`` is an SVG of its own making. Failures tell no password
    that was tried."""

    scenario: str
    server: str
    figures: list[Figure]
    failures: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    picture: str = ""

    def __post_init__(self) -> None:
        self.failures = [_PASSWORD.sub(r"\1 ...", text) for text in self.failures]

    def plain(self) -> dict[str, object]:
        """As JSON has it: without the picture."""
        found = asdict(self)
        del found["picture"]
        return found

    def value(self, name: str) -> float:
        """The figure of that name. Raises ``KeyError``."""
        for figure in self.figures:
            if figure.name == name:
                return figure.value
        raise KeyError(name)


def ratio(ours: Figure, theirs: Figure) -> float:
    """How many times better ours is; 0 where there is no sense in it."""
    if not ours.value or not theirs.value:
        return 0.0
    return ours.value / theirs.value if ours.more else theirs.value / ours.value


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of ours beside the peer's, where the peer has one."""

    scenario: str
    mine: Figure
    other: Figure | None

    @property
    def times(self) -> float:
        """The ratio; 0 where there is none."""
        return ratio(self.mine, self.other) if self.other else 0.0

    @property
    def goals(self) -> str:
        """What was asked for, in words."""
        told = [f"{self.mine.goal:g} x"] if self.mine.goal else []
        return ", ".join([*told, *([f"at most {self.mine.most:g}"] if self.mine.most else [])])

    @property
    def verdict(self) -> str:
        """``met`` or ``missed``; empty without a goal, or without the peer that it needs."""
        judged = [self.mine.value <= self.mine.most] if self.mine.most else []
        if self.mine.goal and self.times:
            judged.append(self.times >= self.mine.goal)
        return ("met" if all(judged) else "missed") if judged else ""


def rows(results: list[Result], ours: str) -> list[Row]:
    """Each figure of ours beside the peer's."""
    theirs = {
        (one.scenario, figure.name): figure
        for one in results
        if one.server != ours
        for figure in one.figures
    }
    return [
        Row(one.scenario, figure, theirs.get((one.scenario, figure.name)))
        for one in results
        if one.server == ours
        for figure in one.figures
    ]
