"""The one event loop of a worker: asyncio's, with Twisted's reactor on it."""

from __future__ import annotations

import asyncio
import sys

from twisted.internet import asyncioreactor


def open_loop() -> asyncio.AbstractEventLoop:
    """A new loop that Twisted uses too. Once in a process, before anything imports the reactor.

    The reactor is never run: it lives on the loop's own readers and timers.
    """
    if "twisted.internet.reactor" in sys.modules:
        raise RuntimeError("another reactor was made in this process before")
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)  # type: ignore[no-untyped-call]  # Twisted left it unannotated
    return loop
