"""Results as a table on the terminal and as one HTML file with charts, needing nothing else."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from bench.result import Figure, Result, ratio

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:right}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
tr:nth-child(even){background:#f4f4f4}.bad{color:#b00}.ours{fill:#2a7}.theirs{fill:#999}
svg text{font:12px system-ui,sans-serif}
"""
_BAR_PX, _ROW_PX = 420, 22
Row = tuple[str, Figure, Figure | None]


def rows(results: Sequence[Result], ours: str) -> list[Row]:
    """Each figure of ours beside the peer's."""
    found: list[Row] = []
    for mine in (one for one in results if one.server == ours):
        other = next((r for r in results if r.scenario == mine.scenario and r.server != ours), None)
        for figure in mine.figures:
            twin = None
            if other is not None:
                twin = next((f for f in other.figures if f.name == figure.name), None)
            found.append((mine.scenario, figure, twin))
    return found


def table(results: Sequence[Result], ours: str) -> str:
    """Plain text with ratios and goals."""
    lines = [f"{'scenario':30} {'':24} {'mailnode':>12} {'peer':>12} {'ratio':>7} {'goal':>6}"]
    for scenario, mine, other in rows(results, ours):
        theirs = f"{other.value:12.2f}" if other else f"{'-':>12}"
        times = f"{ratio(mine, other):6.2f}x" if other else f"{'-':>7}"
        goal = f"{mine.goal:5.1f}x" if mine.goal else ""
        name = f"{mine.name}, {mine.unit}"
        lines.append(f"{scenario:30} {name:24} {mine.value:12.2f} {theirs} {times} {goal}")
    lines += [f"FAILED {r.scenario} on {r.server}: {f}" for r in results for f in r.failures[:3]]
    return "\n".join(lines)


def page(results: Sequence[Result], ours: str, machine: Mapping[str, object]) -> str:
    """The HTML report."""
    facts = "".join(f"<tr><td>{_e(k)}</td><td>{_e(v)}</td></tr>" for k, v in machine.items())
    body = "".join(_line(*row) for row in rows(results, ours))
    charts = "".join(_chart(*row) for row in rows(results, ours) if row[2] and row[1].more)
    failed = "".join(
        f"<p class=bad>{_e(r.scenario)} on {_e(r.server)}: {_e(f)}</p>"
        for r in results
        for f in r.failures
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>mailnode bench</title><style>{_STYLE}</style>"
        "<h1>mailnode beside Postfix + Dovecot</h1><p>One run, one machine, one server at a time "
        "under load. A ratio above 1 means that mailnode is better.</p>"
        "<table><tr><th>scenario<th>figure<th>mailnode<th>peer<th>ratio<th>goal</tr>"
        f"{body}</table>{failed}<h2>Rates</h2>{charts}<h2>Machine</h2><table>{facts}</table>\n"
    )


def _line(scenario: str, mine: Figure, other: Figure | None) -> str:
    theirs = f"{other.value:.2f}" if other else ""
    times = f"{ratio(mine, other):.2f}" if other else ""
    goal = f"{mine.goal:g}" if mine.goal else ""
    return (
        f"<tr><td>{_e(scenario)}<td>{_e(mine.name)}, {_e(mine.unit)}<td>{mine.value:.2f}"
        f"<td>{theirs}<td>{times}<td>{goal}</tr>"
    )


def _chart(scenario: str, mine: Figure, other: Figure | None) -> str:
    pair = [("mailnode", "ours", mine.value), ("peer", "theirs", other.value if other else 0)]
    longest = max(value for _, _, value in pair) or 1
    bars = "".join(
        f'<text x="0" y="{_ROW_PX * n + 15}">{name}</text><rect class="{kind}" x="70" '
        f'y="{_ROW_PX * n + 3}" width="{_BAR_PX * value / longest:.0f}" height="16"/>'
        f'<text x="{76 + _BAR_PX * value / longest:.0f}" y="{_ROW_PX * n + 15}">{value:.1f}</text>'
        for n, (name, kind, value) in enumerate(pair)
    )
    title = f"{_e(scenario)}: {_e(mine.name)}, {_e(mine.unit)}"
    return f'<h4>{title}</h4><svg width="620" height="{2 * _ROW_PX}">{bars}</svg>'


def _e(value: object) -> str:
    return html.escape(str(value))
