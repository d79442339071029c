"""What a scenario found: figures with units, and which way is better."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Figure:
    """One number. ``more`` is True where more is better; ``goal`` is the ratio to reach beside the
    peer, ``most`` what mailnode itself must not exceed, in the figure's unit; 0: none."""

    name: str
    unit: str
    value: float
    more: bool = True
    goal: float = 0.0
    most: float = 0.0


@dataclass(slots=True)
class Result:
    """A scenario on one server."""

    scenario: str
    server: str
    figures: list[Figure]
    failures: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)

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
