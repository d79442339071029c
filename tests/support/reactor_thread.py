"""Twisted's asyncio reactor on its own loop in its own thread, one for the whole test process.

Tests talk to the servers on it through real loopback sockets from their own thread, so blocking
clients (imaplib, poplib, plain sockets) need nothing special.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
WAIT_S = 30.0


class ReactorThread:
    """Runs coroutines and calls on the loop thread and gives back their results."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="reactor", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)

    def call(self, call: Callable[..., T], *args: object) -> T:
        """Run a plain call on the loop thread."""

        async def go() -> T:
            return call(*args)

        return self.run(go())


_shared: ReactorThread | None = None


def reactor_thread() -> ReactorThread:
    """The one of this process; the reactor is installed at the first call."""
    global _shared
    if _shared is None:
        from twisted.internet import asyncioreactor

        assert "twisted.internet.reactor" not in sys.modules, "another reactor was installed"
        _shared = ReactorThread()
        asyncioreactor.install(_shared.loop)  # type: ignore[no-untyped-call]  # Twisted's own
    return _shared
