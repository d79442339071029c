"""The one event loop of a worker, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

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
