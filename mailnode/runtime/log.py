"""The mail log itself: events become lines, lines go to a sink.

Promises: one line an event, with time, node, process and event first; a field whose name speaks
of a password or another secret is never written; foreign loggers (asyncio, Twisted, aiosmtpd,
SQLAlchemy) come into the same stream, warnings and worse only.
Fails: ``open_log`` raises ``BadSettings``; ``event`` never raises.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable
from functools import lru_cache

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import Clock, SystemClock
from mailnode.runtime.logline import format_line, quick_logfmt, timestamp
from mailnode.runtime.maillog import Event
from mailnode.runtime.settings.log import LogSettings
from mailnode.runtime.sink import (
    FileTarget,
    JournalTarget,
    Sink,
    StreamTarget,
    journal_datagram,
)

SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|auth|token|credentials?)(_|$)", re.I
)

_BARE = re.compile(r"[A-Za-z0-9._-]{1,255}")
_FIRST = frozenset({"time", "node", "pid", "event"})
_PLAIN = (str, int, float)
_WEIGHTS = {"info": 0, "warning": 1, "error": 2}
_PRIORITIES = (6, 4, 3)  # syslog(3): info, warning, err
_WEIGHT_OF = {
    Event.WORKER_DIED: 2,
    Event.STORAGE: 2,
    Event.DATABASE: 2,
    Event.ERROR: 2,
    Event.SETTINGS: 1,
    Event.LIBRARY: 1,
    Event.LOG_DROPPED: 1,
    Event.FAILED: 1,
}


class LineLog:
    """``MailLog`` that writes lines. Made before the fork, used by each process."""

    def __init__(self, sink: Sink, settings: LogSettings, *, node: str, clock: Clock) -> None:
        self._sink = sink
        self._json = settings.format == "json"
        self._journal = settings.destination == "journal"
        self._least = _WEIGHTS[settings.level]
        self._node = node
        # Its name as it stands in a line without quotes; empty where lines are made otherwise.
        plain = not self._json and not self._journal and _BARE.fullmatch(node)
        self._quick_node = node if plain else ""
        self._clock = clock
        self._later: Callable[[], None] | None = None

    def gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what weighs least at the end of each turn of this loop, many lines in one call;
        warnings and errors go out at once, as everything does again after ``settle``. Call it on
        the loop's thread."""
        mine = threading.get_ident()

        def later() -> None:
            soon = loop.call_soon if threading.get_ident() == mine else loop.call_soon_threadsafe
            try:
                soon(self._sink.flush)
            except RuntimeError:
                self._sink.flush()  # the loop has ended under a thread that was still at work

        self._later = later

    def settle(self) -> None:
        """The loop is about to end: write every line at once from now on."""
        self._later = None
        self._sink.flush()

    def event(self, event: Event, **fields: object) -> None:
        """Write one line; thread-safe, never raises, never blocks."""
        lost = self._sink.take_dropped()
        if lost:
            self._write(Event.LOG_DROPPED, {"lines": lost})
        self._write(event, fields)

    def flush(self) -> None:
        """Try again to write what the target did not take; called now and then."""
        self._sink.flush()

    def reopen(self) -> None:
        """Open the log file again under its name (logrotate)."""
        try:
            self._sink.reopen()
        except OSError as error:
            self.event(Event.SETTINGS, key="log.file", reason=error.strerror, remedy="old one kept")

    def close(self) -> None:
        """The end of this log; nothing may follow."""
        self._sink.close()

    def _write(self, event: Event, fields: dict[str, object]) -> None:
        weight = _WEIGHT_OF.get(event, 0)
        if weight < self._least:
            return
        line = self._quick(event, fields) or self._whole(event, fields, weight)
        later = self._later
        if weight or later is None:
            self._sink.write(line)
        elif self._sink.hold(line):
            later()

    def _quick(self, event: Event, fields: dict[str, object]) -> bytes | None:
        """The line, where everything in it is plain."""
        if not (self._quick_node and _FIRST.isdisjoint(fields)) or any(map(_is_secret, fields)):
            return None
        now = timestamp(self._clock.now())
        head = f"time={now} node={self._quick_node} pid={os.getpid()} event={event}"
        return quick_logfmt(fields, head)

    def _whole(self, event: Event, fields: dict[str, object], weight: int) -> bytes:
        everything: dict[str, object] = {
            "time": timestamp(self._clock.now()),
            "node": self._node,
            "pid": os.getpid(),
            "event": event.value,
        }
        for key, value in fields.items():
            everything[key] = _clean(key, value)
        line = format_line(everything, self._json)
        if self._journal:
            line = journal_datagram(line, _PRIORITIES[weight], everything)
        return line


@lru_cache(maxsize=256)
def _is_secret(key: str) -> bool:
    return SECRET_NAME.search(key) is not None


def _clean(key: str, value: object) -> object:
    """The value, or what stands for it when its name speaks of a secret or it cannot be shown."""
    if _is_secret(key):
        return "[refused]"
    if type(value) in _PLAIN:
        return value
    if isinstance(value, BaseException):
        return "".join(traceback.format_exception(value)).strip()
    try:
        str(value)
    except Exception:  # noqa: BLE001  a broken __str__ must not stop mail
        return f"[{type(value).__name__}]"
    return value


def open_log(settings: LogSettings, *, node: str, clock: Clock | None = None) -> LineLog:
    """The log that the settings ask for. Raises ``BadSettings`` when it cannot be opened."""
    try:
        target: FileTarget | JournalTarget | StreamTarget
        if settings.destination == "file" and settings.file:
            target = FileTarget(settings.file)
        elif settings.destination == "journal":
            target = JournalTarget()
        else:
            target = StreamTarget(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    except OSError as error:
        raise BadSettings(
            f"log.file = {settings.file}: {error.strerror}; make the folder, "
            "writable for the account that mailnode runs as"
        ) from None
    return LineLog(Sink(target), settings, node=node, clock=clock or SystemClock())


class _Bridge(logging.Handler):
    """Brings what libraries log into the mail log."""

    def __init__(self, log: LineLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  a library's bad format string must not stop mail
            text = str(record.msg)
        if record.exc_info and record.exc_info[1]:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).strip()
        self._log.event(
            Event.LIBRARY, logger=record.name, level=record.levelname.lower(), text=text
        )


def route_library_logs(log: LineLog) -> None:
    """Send stdlib ``logging`` to ``log`` from warning on, in this process.

    aiosmtpd logs clients' lines, AUTH among them, at debug and info: its logger stays above.
    """
    root = logging.getLogger()
    root.handlers[:] = [_Bridge(log)]
    root.setLevel(logging.WARNING)
    for name in ("mail.log", "aiosmtpd", "sqlalchemy", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
