"""Results as a table on the terminal, and as files: JSON, pictures, a Markdown page of the goals,
and one HTML page with all of it that needs nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import charts
from bench.result import Figure, Result, Row, rows

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:right}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
tr:nth-child(even){background:#f4f4f4}.missed,.bad{color:#b00}.met{color:#185}
svg{max-width:100%;height:auto}
"""
_HEAD = "<tr><th>scenario<th>figure<th>mailnode<th>peer<th>ratio<th>goal<th></tr>"
_INTRO = (
    "One run, one machine, one server at a time under load. A ratio above 1 means that mailnode is"
    " better. What each server makes durable for a message is counted by the scenario durability;"
    " others' CPU is what neither server nor load generator took while a scenario ran. Where"
    " a figure is the median of some rounds, the lowest and the highest stand behind it."
)
# Of each run's failures; they tend to be alike.
_SHOWN = 3


def table(results: list[Result], ours: str) -> str:
    """Plain text with ratios and goals."""
    lines = [f"{'scenario':22} {'':32} {'mailnode':>12} {'peer':>12} {'ratio':>8}  goal"]
    for row in rows(results, ours):
        theirs = f"{row.other.value:12.2f}" if row.other else f"{'-':>12}"
        times = f"{row.times:7.2f}x" if row.times else f"{'-':>8}"
        goal = f"  {row.goals} {row.verdict}".rstrip()
        name = f"{row.mine.name}, {row.mine.unit}"
        spread = _spreads(row)
        told = f"{goal or ' '}  ({spread})" if spread else goal
        lines.append(f"{row.scenario:22} {name:32} {row.mine.value:12.2f} {theirs} {times}{told}")
    lines += [f"FAILED {one}" for one in _failures(results)]
    return "\n".join(lines)


def _spreads(row: Row) -> str:
    """Of both sides."""
    theirs = row.other.spread if row.other else ""
    return "; peer ".join(text for text in (row.mine.spread, theirs) if text)


def write(page: Path, results: list[Result], ours: str, machine: Mapping[str, object]) -> None:
    """Write the page and, beside it, JSON, Markdown and the pictures. Raises ``OSError``."""
    page.parent.mkdir(parents=True, exist_ok=True)
    plain = {"machine": machine, "results": [one.plain() for one in results]}
    page.with_suffix(".json").write_text(json.dumps(plain, indent=1) + "\n")
    page.write_text(html_page(results, ours, machine))
    page.with_suffix(".md").write_text(markdown(results, ours, machine, page.stem))
    for name, picture in _pictures(results, ours):
        page.with_name(f"{page.stem}-{name}.svg").write_text(picture)


def markdown(results: list[Result], ours: str, machine: Mapping[str, object], stem: str) -> str:
    """The goals, the first figure of each scenario, and the machine, for readers of the source."""
    shown = [row for row in rows(results, ours) if row.verdict or _leads(row, results)]
    lines = ["# mailnode beside Postfix + Dovecot", "", f"{_INTRO}", ""]
    lines += ["| scenario | figure | mailnode | peer | ratio | goal | |"]
    lines += ["|---|---|--:|--:|--:|---|---|", *map(_markdown_line, shown), ""]
    lines += [f"- **failed** {' '.join(one.split())[:300]}" for one in _failures(results)]
    lines += ["", *(f"![{n}]({stem}-{n}.svg)" for n, _ in _pictures(results, ours))]
    lines += ["", f"Everything: [{stem}.html]({stem}.html), [{stem}.json]({stem}.json).", ""]
    lines += ["| machine | |", "|---|---|", *(f"| {key} | {machine[key]} |" for key in machine)]
    return "\n".join(lines) + "\n"


def _value(figure: Figure | None) -> str:
    """The number, and between which others it lies."""
    if figure is None:
        return ""
    return f"{figure.value:,.2f}" + (f" ({figure.spread})" if figure.spread else "")


def _markdown_line(row: Row) -> str:
    times = f"{row.times:.2f}" if row.times else ""
    figure = f"{row.mine.name}, {row.mine.unit}"
    verdict = f"**{row.verdict}**" if row.verdict == "missed" else row.verdict
    return (
        f"| {row.scenario} | {figure} | {_value(row.mine)} | {_value(row.other)} | {times} "
        f"| {row.goals} | {verdict} |"
    )


def _pictures(results: list[Result], ours: str) -> list[tuple[str, str]]:
    told = [row for row in rows(results, ours) if row.mine.goal or _leads(row, results)]
    found = [("ratios", charts.ratios(told)), ("sizes", charts.sizes(results, ours))]
    return [(name, picture) for name, picture in found if picture]


def _leads(row: Row, results: list[Result]) -> bool:
    """Whether it is a scenario's first figure; of mailboxes by size there are too many."""
    first = next(one.figures[0] for one in results if one.scenario == row.scenario and one.figures)
    return row.mine.name == first.name and not row.scenario.startswith("big-mailbox-")


def html_page(results: list[Result], ours: str, machine: Mapping[str, object]) -> str:
    """The HTML report."""
    found = rows(results, ours)
    judged = [row for row in found if row.verdict]
    met = sum(row.verdict == "met" for row in judged)
    goals = "".join(map(_line, judged))
    pictures = "".join(picture for _, picture in _pictures(results, ours))
    own = "".join(f"<h3>{_e(one.scenario)}</h3>{one.picture}" for one in results if one.picture)
    pairs = "".join(
        f"<h4>{_e(row.scenario)}: {_e(row.mine.name)}, {_e(row.mine.unit)}</h4>{charts.bars(row)}"
        for row in found
        if row.other and row.mine.more
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>mailnode bench</title><style>{_STYLE}</style>"
        f"<h1>mailnode beside Postfix + Dovecot</h1><p>{_INTRO}</p>"
        f"<h2>Goals: {met} of {len(judged)} met</h2><table>{_HEAD}{goals}</table>{_failed(results)}"
        f"{pictures}{own}"
        f"<h2>All figures</h2><table>{_HEAD}{''.join(map(_line, found))}</table>"
        f"<h2>Rates</h2>{pairs}<h2>Each run</h2><table>{_runs(results)}</table>"
        f"<h2>Machine</h2><table>{_facts(machine)}</table>\n"
    )


def _line(row: Row) -> str:
    times = f"{row.times:.2f}" if row.times else ""
    return (
        f"<tr><td>{_e(row.scenario)}<td>{_e(row.mine.name)}, {_e(row.mine.unit)}"
        f"<td>{_value(row.mine)}<td>{_value(row.other)}<td>{times}<td>{_e(row.goals)}"
        f"<td class={row.verdict or 'none'}>{row.verdict}</tr>"
    )


def _failed(results: Sequence[Result]) -> str:
    return "".join(f"<p class=bad>{_e(one)}</p>" for one in _failures(results))


def _failures(results: Sequence[Result]) -> list[str]:
    """Some of each run's, in words."""
    told = []
    for one in results:
        shown = [f"{one.scenario} on {one.server}: {text}" for text in one.failures[:_SHOWN]]
        told += shown
        if more := len(one.failures) - len(shown):
            told.append(f"{one.scenario} on {one.server}: and {more} more")
    return told


def _runs(results: Sequence[Result]) -> str:
    lines = (
        f"<tr><td>{_e(one.scenario)}<td>{_e(one.server)}<td>"
        + _e(", ".join(f"{key} {value}" for key, value in one.facts.items()))
        + "</tr>"
        for one in results
    )
    return "".join(lines)


def _facts(facts: Mapping[str, object]) -> str:
    return "".join(f"<tr><td>{_e(key)}<td>{_e(value)}</tr>" for key, value in facts.items())


def _e(value: object) -> str:
    return html.escape(str(value))
