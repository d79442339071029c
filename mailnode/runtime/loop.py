"""The one event loop of a worker: asyncio's, with Twisted's reactor on it."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import twisted.internet
from twisted.internet import asyncioreactor
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)

from mailnode.runtime.polling import SparingSelector

_REACTOR = "twisted.internet.reactor"


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's, that is woken by a thread at the cost of one system call less."""

    _ssock: Any

    def _read_from_self(self) -> None:
        # What does not fit is found at the next look; asyncio's own reads until there is nothing,
        # which ends in an exception each time.
        try:
            data = self._ssock.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            cast(Any, self)._process_self_data(data)


def open_loop() -> asyncio.AbstractEventLoop:
    """A new loop that Twisted uses too. Once in a process, before anything imports the reactor.

    The reactor is never run: it lives on the loop's own readers and timers.
    """
    _check_none()
    loop = _Loop(SparingSelector())
    asyncioreactor.install(loop)  # type: ignore[no-untyped-call]  # Twisted left it unannotated
    _route_twisted_log()
    return loop


@contextmanager
def before_the_loop() -> Iterator[None]:
    """Import inside what takes the reactor when it is imported, though there is none yet: for what
    is forked later and makes its own. Raises ``RuntimeError`` where one is made.

    ``twisted.mail.smtp``, which Twisted's POP3 wants, takes it so, as the default of a client that
    nobody here uses; that keeps an empty module instead.
    """
    _check_none()
    sys.modules[_REACTOR] = ModuleType(_REACTOR)
    try:
        yield
    finally:
        del sys.modules[_REACTOR]
    _check_none()


def _check_none() -> None:
    if _REACTOR in sys.modules or hasattr(twisted.internet, "reactor"):
        raise RuntimeError("another reactor was made in this process before")


def rest_collector() -> None:
    """Look for garbage in cycles less often, and never among what a worker is made of.

    A session and a message hold no cycles, reference counts free them; yet by default every 700
    new objects start a search, one in a hundred of them through all modules and settings (a
    twentieth of the cost of a message). Call it when everything is loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _route_twisted_log() -> None:
    """Twisted's warnings go where stdlib ``logging`` goes; without this it would keep its last
    65 536 events in memory and write faults to standard error as it likes."""
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    # mypy cannot see that these provide zope's interfaces.
    stdlib = cast(Any, STDLibLogObserver("twisted"))
    observer = cast(Any, FilteringLogObserver(stdlib, [cast(Any, wanted)]))
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
