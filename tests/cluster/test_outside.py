"""Hints of a command beside the running workers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, cast

from mailnode.cluster.notify import LocalHints
from mailnode.cluster.outside import Outside
from mailnode.runtime.clock import SystemClock
from tests.cluster.test_notify import Ear
from tests.support.hand_clock import HandClock

LONG_S = 600.0


async def test_workers_hear_the_first_at_once_and_the_rest_together(tmp_path: Path) -> None:
    folder, ear, clock = tmp_path / "hints", Ear(), HandClock()
    workers = [LocalHints(folder=folder, clock=SystemClock(), poll_s=LONG_S) for _ in range(2)]
    for hints in workers:
        hints.subscribe("a\0", ear)
    outside = Outside(folder, clock)
    outside.publish("a\0", 3)
    await ear.until(2)
    for modseq in (4, 6, 5):
        outside.publish("a\0", modseq)
    clock.advance(0.5)
    outside.publish("b\0", 1)
    await ear.until(4)
    outside.publish("a\0", 7)
    outside.publish("a\0", 0)
    outside.close()
    await ear.until(6)
    assert ear.heard == [3, 3, 6, 6, 0, 0]
    for hints in workers:
        hints.close()


async def test_what_is_in_the_way_is_passed_over(tmp_path: Path) -> None:
    nowhere = Outside(tmp_path / "none", SystemClock())
    nowhere.publish("a\0", 1)
    nowhere.close()
    folder = tmp_path / "hints"
    worker = LocalHints(folder=folder, clock=SystemClock(), poll_s=LONG_S)
    (folder / "dead.hint").write_text("")  # no socket
    ear = Ear()
    worker.subscribe("a\0", ear)
    outside = Outside(folder, SystemClock())
    outside.publish("a\0" + "x" * 5000, 1)  # too long to be sent
    outside.publish("a\0", 2)
    outside.close()
    await ear.until(1)
    worker.close()
    assert not [name for name in os.listdir(folder) if name != "dead.hint"]
    await asyncio.to_thread(outside.publish, "a\0", 3)


async def test_the_other_nodes_are_told_by_whoever_speaks_to_them(tmp_path: Path) -> None:
    class Far:
        def __init__(self) -> None:
            self.offered: list[tuple[dict[str, int], bool]] = []

        def offer(self, hints: dict[str, int], everything: bool) -> None:
            self.offered.append((hints, everything))

    folder, ear, far = tmp_path / "hints", Ear(), Far()
    worker = LocalHints(folder=folder, clock=SystemClock(), poll_s=LONG_S)
    worker.reach(lambda heard: cast(Any, far))
    worker.subscribe("a\0", ear)
    Outside(folder, SystemClock()).publish("a\0", 3)
    await ear.until(1)
    worker.close()
    assert far.offered == [({"a\0": 3}, False)]
