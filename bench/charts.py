"""Pictures of a comparison as SVG that needs nothing beside itself: ratios with their goals, pairs
of bars, and what the size of a mailbox costs."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from bench.result import Result, Row

_OURS, _THEIRS, _GOAL, GRID = "#22aa77", "#999999", "#c2410c", "#e0e0e0"
_COLOURS = (
    "#22aa77", "#1d4ed8", "#c2410c", "#7c3aed", "#06b6d4", "#a16207", "#be185d", "#4b5563",
    "#84cc16", "#f59e0b", "#000000", "#f472b6", "#0e7490",
)  # fmt: skip
_WIDTH, _LEFT, _ROW = 860, 330, 22
_STYLE = "text{font:12px system-ui,sans-serif;fill:#222}"


def ratios(found: Sequence[Row]) -> str:
    """Each ratio as a bar from 1, on a logarithmic axis, its goal as a mark; "" without any."""
    shown = [row for row in found if row.times]
    if not shown:
        return ""
    values = [row.times for row in shown] + [row.mine.goal for row in shown if row.mine.goal]
    low, high = math.floor(math.log10(min(*values, 0.5))), math.ceil(math.log10(max(*values, 2)))

    def x(value: float) -> float:
        part = (math.log10(value) - low) / (high - low)
        return round(_LEFT + part * (_WIDTH - _LEFT - 70), 1)

    height = 40 + _ROW * len(shown)
    parts = []
    for power in range(low, high + 1):
        at = x(10**power)
        parts.append(f'<path stroke="{GRID}" d="M{at} 24V{height}"/>')
        parts.append(text(at, 16, f"{10.0**power:g} x", "middle"))
    parts.append(f'<path stroke="#222" d="M{x(1)} 24V{height}"/>')
    for number, row in enumerate(shown):
        top = 30 + _ROW * number
        parts.append(_ratio_bar(row, top, x(1), x(row.times)))
        if row.mine.goal:
            goal = x(row.mine.goal)
            parts.append(f'<path stroke="{_GOAL}" stroke-width="3" d="M{goal} {top}v16"/>')
    return svg(_WIDTH, height, "".join(parts), "mailnode beside Postfix + Dovecot: ratios")


def _ratio_bar(row: Row, top: int, one: float, end: float) -> str:
    colour = _OURS if row.times >= 1 else _THEIRS
    left, width = min(one, end), max(1.0, abs(end - one))
    label = f"{row.scenario}: {row.mine.name}"
    return (
        text(_LEFT - 8, top + 12, label, "end")
        + f'<rect x="{left}" y="{top}" width="{width:.1f}" height="16" fill="{colour}"/>'
        + text(max(one, end) + 6, top + 12, f"{row.times:.2f}")
    )


def bars(row: Row) -> str:
    """Ours and the peer's value, one above the other."""
    pair = [("mailnode", _OURS, row.mine.value)]
    if row.other:
        pair.append(("peer", _THEIRS, row.other.value))
    longest, room = max(value for _, _, value in pair) or 1, 420
    parts = []
    for number, (name, colour, value) in enumerate(pair):
        top, width = _ROW * number, room * value / longest
        parts.append(text(0, top + 15, name))
        parts.append(
            f'<rect x="70" y="{top + 3}" width="{width:.0f}" height="16" fill="{colour}"/>'
        )
        parts.append(text(76 + width, top + 15, f"{value:,.1f}"))
    title = f"{row.scenario}: {row.mine.name}, {row.mine.unit}"
    return svg(620, _ROW * len(pair), "".join(parts), title)


def sizes(results: Sequence[Result], ours: str) -> str:
    """Milliseconds over messages in the mailbox, both axes logarithmic; "" without two sizes."""
    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for result in (one for one in results if one.scenario.startswith("big-mailbox-")):
        for figure in result.figures:
            if figure.unit == "ms" and not figure.name.endswith(" new") and figure.value > 0:
                points = lines.setdefault((figure.name, result.server), [])
                points.append((float(str(result.facts["messages"])), figure.value))
    lines = {key: points for key, points in lines.items() if len(points) > 1}
    if not lines:
        return ""
    every = [point for points in lines.values() for point in points]
    plane = _Plane([x for x, _ in every], [y for _, y in every])
    names = list(dict.fromkeys(name for name, _ in lines))
    parts = [plane.axes()]
    for (name, server), points in lines.items():
        colour = _COLOURS[names.index(name) % len(_COLOURS)]
        path = "L".join(f"{plane.x(x)} {plane.y(y)}" for x, y in points)
        dash = "" if server == ours else ' stroke-dasharray="4 4"'
        title = f"<title>{html.escape(f'{name} on {server}')}</title>"
        parts.append(
            f'<path fill="none" stroke="{colour}" stroke-width="2"{dash} d="M{path}">{title}</path>'
        )
    for number, name in enumerate(names):
        top = 40 + 20 * number
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="640" y="{top}" width="12" height="12" fill="{colour}"/>')
        parts.append(text(658, top + 11, name))
    parts.append(text(640, 60 + 20 * len(names), "dashed: Postfix + Dovecot"))
    return svg(_WIDTH, 420, "".join(parts), "Milliseconds by messages in the mailbox")


class _Plane:
    """Two logarithmic axes, whole powers of ten at their ends."""

    _LEFT, _RIGHT, _TOP, _BOTTOM = 80, 610, 30, 380

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self._x, self._y = _powers(across), _powers(up)

    def x(self, value: float) -> float:
        low, high = self._x
        part = (math.log10(value) - low) / (high - low)
        return round(self._LEFT + part * (self._RIGHT - self._LEFT), 1)

    def y(self, value: float) -> float:
        low, high = self._y
        part = (math.log10(value) - low) / (high - low)
        return round(self._BOTTOM - part * (self._BOTTOM - self._TOP), 1)

    def axes(self) -> str:
        """Grid and numbers."""
        parts = [text(self._LEFT, 16, "ms, by messages in the mailbox")]
        for power in range(self._x[0], self._x[1] + 1):
            at = self.x(10.0**power)
            parts.append(f'<path stroke="{GRID}" d="M{at} {self._TOP}V{self._BOTTOM}"/>')
            parts.append(text(at, self._BOTTOM + 18, f"{10**power:,}", "middle"))
        for power in range(self._y[0], self._y[1] + 1):
            at = self.y(10.0**power)
            parts.append(f'<path stroke="{GRID}" d="M{self._LEFT} {at}H{self._RIGHT}"/>')
            words = f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
            parts.append(text(self._LEFT - 6, at + 4, words, "end"))
        return "".join(parts)


def _powers(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def svg(width: int, height: int, body: str, title: str) -> str:
    """A whole picture."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img"><title>{html.escape(title)}</title>'
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>'
        f"{body}</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "") -> str:
    """A line of a picture; ``anchor``: ``middle`` or ``end``, where it does not begin at ``x``."""
    more = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{more}>{html.escape(words)}</text>'
