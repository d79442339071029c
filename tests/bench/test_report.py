"""Ratios, goals and verdicts, in the table and in files that need nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from bench import charts, report
from bench.ours import NAME
from bench.result import Figure, Result, median, rows

PEER = "Postfix + Dovecot"


def results() -> list[Result]:
    def sizes(server: str, slower: float) -> list[Result]:
        return [
            Result(
                f"big-mailbox-{size}",
                server,
                [Figure("SELECT", "ms", slower * size, more=False)],
                facts={"messages": size},
            )
            for size in (10, 1000)
        ]

    return [
        Result("deliver", NAME, [Figure("rate", "msg/s", 1000, goal=5.0)]),
        Result("deliver", PEER, [Figure("rate", "msg/s", 250)]),
        Result("sync", NAME, [Figure("time", "ms", 2, more=False, goal=1.0)]),
        Result("sync", PEER, [Figure("time", "ms", 8, more=False)]),
        Result("idle", NAME, [Figure("memory", "KiB", 41, more=False, most=40.0)]),
        Result("<odd>", NAME, [Figure("rate", "/s", 1, goal=3.0)], ["went <wrong>"], {"n": 1}, ""),
        Result("login", NAME, [], ["Wrong: LOGIN a@b.test hush: b't1 NO'"] * 5),
        *sizes(NAME, 1.0),
        *sizes(PEER, 2.0),
    ]


def test_verdicts() -> None:
    found = {row.scenario: (round(row.times, 2), row.verdict) for row in rows(results(), NAME)}
    assert found["deliver"] == (4.0, "missed")
    assert found["sync"] == (4.0, "met")
    assert found["idle"] == (0.0, "missed")
    # Without a peer there is no ratio to be judged.
    assert found["<odd>"] == (0.0, "")


def test_the_table() -> None:
    told = report.table(results(), NAME)
    assert "4.00x  5 x missed" in told
    assert "at most 40 missed" in told
    assert "FAILED <odd> on mailnode: went <wrong>" in told


def test_the_files(tmp_path: Path) -> None:
    page = tmp_path / "deep" / "report.html"
    found = results()
    found[0].picture = "<svg>own</svg>"
    report.write(page, found, NAME, {"cores": 2})
    text = page.read_text()
    assert "Goals: 1 of 3 met" in text
    assert "<svg>own</svg>" in text
    assert "&lt;odd&gt;" in text
    assert "<odd>" not in text
    assert "LOGIN a@b.test ... b" in text
    assert "hush" not in text
    assert "login on mailnode: and 2 more" in text
    assert "src=" not in text
    assert "href=" not in text
    plain = json.loads((tmp_path / "deep" / "report.json").read_text())
    assert plain["machine"] == {"cores": 2}
    assert "picture" not in plain["results"][0]
    goals = (tmp_path / "deep" / "report.md").read_text()
    assert "| deliver | rate, msg/s | 1,000.00 | 250.00 | 4.00 | 5 x | **missed** |" in goals
    assert "![ratios](report-ratios.svg)" in goals
    for name in ("ratios", "sizes"):
        picture = (tmp_path / "deep" / f"report-{name}.svg").read_text()
        assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_rounds(tmp_path: Path) -> None:
    """The median counts; how far the rounds lie apart stands in every form of the report."""
    mine = median(Figure("rate", "msg/s", goal=3.0), [900, 1200, 1000])
    found = [
        Result("deliver", NAME, [mine, median(Figure("once", "s"), [1.0])]),
        Result("deliver", PEER, [median(Figure("rate", "msg/s"), [250, 240.5, 260])]),
    ]
    assert (mine.value, mine.goal, mine.rounds) == (1000, 3.0, [900, 1200, 1000])
    told = report.table(found, NAME).splitlines()
    assert told[1].endswith("4.00x  3 x met  (900.00 to 1,200.00; peer 240.50 to 260.00)")
    assert told[2].endswith("-")
    report.write(tmp_path / "report.html", found, NAME, {})
    line = "| deliver | rate, msg/s | 1,000.00 (900.00 to 1,200.00) | 250.00 (240.50 to 260.00) |"
    assert line in (tmp_path / "report.md").read_text()
    cells = "<td>1,000.00 (900.00 to 1,200.00)<td>250.00 (240.50 to 260.00)<td>4.00"
    assert cells in (tmp_path / "report.html").read_text()
    plain = json.loads((tmp_path / "report.json").read_text())
    assert plain["results"][0]["figures"][0]["rounds"] == [900, 1200, 1000]


def test_nothing_to_draw() -> None:
    alone = [Result("deliver", NAME, [Figure("rate", "msg/s", 1000)])]
    assert charts.ratios(rows(alone, NAME)) == ""
    assert charts.sizes(alone, NAME) == ""
