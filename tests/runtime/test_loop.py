"""The one event loop of a worker, in a process of its own."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

from mailnode.runtime.loop import rest_collector

PROGRAM = """
import asyncio, json
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.log import LineLog, route_library_logs
from mailnode.runtime.loop import open_loop
from mailnode.runtime.settings.log import LogSettings
from mailnode.runtime.sink import Sink, StreamTarget

log = LineLog(Sink(StreamTarget(1)), LogSettings(), node="n", clock=SystemClock())
route_library_logs(log)

async def main():
    from twisted.internet import reactor
    from twisted.logger import Logger
    fired = asyncio.Event()
    reactor.callLater(0, fired.set)
    await asyncio.wait_for(fired.wait(), 5)
    twisted = Logger("x")
    twisted.info("not this")
    twisted.warn("careful {what}", what="now")
    try:
        1 / 0
    except ZeroDivisionError:
        twisted.failure("broken")

with asyncio.Runner(loop_factory=open_loop) as runner:
    runner.run(main())
try:
    open_loop()
except RuntimeError as error:
    print(error)
"""


def test_reactor_lives_on_the_loop_and_its_warnings_come_into_the_log() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    careful, broken, second = ran.stdout.splitlines()
    assert 'event=library logger=twisted level=warning text="careful now"' in careful
    assert "level=critical" in broken
    assert "ZeroDivisionError" in broken
    assert second == "another reactor was made in this process before"
    assert ran.stderr == ""


PRELOADED = """
import pkgutil, sys
import mailnode, mailnode.main
from mailnode.runtime.loop import open_loop

mailnode.main._preload()
assert "twisted.internet.reactor" not in sys.modules
rooms = ("access", "intake", "delivery", "routing", "policy", "wire", "model", "directory", "queue")
for found in pkgutil.walk_packages(mailnode.__path__, "mailnode."):
    if found.name.split(".")[1] in rooms and found.name not in sys.modules:
        print(found.name)
loop = open_loop()
from twisted.internet import reactor
assert reactor._asyncioEventloop is loop
loop.close()
"""

# Never used by a worker, or only while nothing is served yet.
_OFFLINE = (
    "mailnode.directory.ledger",
    "mailnode.directory.migrat",
    "mailnode.directory.registry",
    "mailnode.directory.rows",
    "mailnode.queue.admin",
)


def test_a_worker_imports_nothing_of_ours_after_the_fork() -> None:
    """Files that change on the disk while we run (an upgrade, an edit) would not fit what runs."""
    command = [sys.executable, "-W", "error", "-c", PRELOADED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    late = [name for name in done.stdout.split() if not name.startswith(_OFFLINE)]
    assert late == []


def test_collector_leaves_alone_what_is_loaded_and_still_finds_cycles() -> None:
    before = gc.get_threshold()
    try:
        rest_collector()
        assert gc.get_freeze_count() > 1000
        cycle = Node()
        cycle.itself = cycle
        gone = weakref.ref(cycle)
        del cycle
        # Enough new objects for a search.
        kept: list[list[object]] = [[] for _ in range(50_000)]
        assert gone() is None
        assert len(kept) == 50_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


class Node:
    """Something that may hold itself."""

    itself: object = None
