"""The one event loop of a worker: asyncio's, with Twisted's reactor on it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

from twisted.internet import asyncioreactor
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)


def open_loop() -> asyncio.AbstractEventLoop:
    """A new loop that Twisted uses too. Once in a process, before anything imports the reactor.

    The reactor is never run: it lives on the loop's own readers and timers.
    """
    if "twisted.internet.reactor" in sys.modules:
        raise RuntimeError("another reactor was made in this process before")
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)  # type: ignore[no-untyped-call]  # Twisted left it unannotated
    _route_twisted_log()
    return loop


def _route_twisted_log() -> None:
    """Twisted's warnings go where stdlib ``logging`` goes; without this it would keep its last
    65 536 events in memory and write faults to standard error as it likes."""
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    # mypy cannot see that these provide zope's interfaces.
    stdlib = cast(Any, STDLibLogObserver("twisted"))
    observer = cast(Any, FilteringLogObserver(stdlib, [cast(Any, wanted)]))
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
