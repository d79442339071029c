"""The mail log: lines that parse back, that nobody forges, that never stop mail."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import math
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.log import LineLog, open_log, route_library_logs
from mailnode.runtime.logline import (
    LINE_MAX_BYTES,
    format_line,
    parse_logfmt,
    quick_logfmt,
    timestamp,
)
from mailnode.runtime.maillog import Event
from mailnode.runtime.settings.log import LogSettings
from mailnode.runtime.sink import (
    HELD_MAX_BYTES,
    WAITING_MAX_BYTES,
    JournalTarget,
    Sink,
    StreamTarget,
    Target,
)

FORMATS = ("logfmt", "json")


class Kept:
    """A target that remembers, refuses or breaks as told."""

    together_bytes = 4096

    def __init__(self) -> None:
        self.text = b""
        self.room: int | None = None
        self.broken = False
        self.puts = 0

    def put(self, line: bytes) -> int:
        self.puts += 1
        if self.broken:
            raise BrokenPipeError
        taken = line if self.room is None else line[: self.room]
        if self.room is not None and not taken:
            raise BlockingIOError
        self.text += taken
        if self.room is not None:
            self.room -= len(taken)
        return len(taken)

    def reopen(self) -> None:
        self.broken = False

    def close(self) -> None:
        self.broken = True


def _log(target: Target, **settings: str) -> LineLog:
    chosen = LogSettings.model_validate(settings)
    return LineLog(Sink(target), chosen, node="n1", clock=SystemClock())


def _fields(target: Kept) -> dict[str, str]:
    return parse_logfmt(target.text.decode())


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=40), max_size=6
    )
)
def test_any_text_parses_back_and_holds_no_control_character(fields: dict[str, str]) -> None:
    for as_json in (True, False):
        line = format_line(fields, as_json).decode()
        body = line[:-1]
        assert line.endswith("\n")
        assert body.isprintable() or not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in body)
        back = json.loads(body) if as_json else parse_logfmt(body)
        assert back == fields


VALUES = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[!-~]{0,20}", fullmatch=True),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.just("mysql://u:secret@h/x"),
    st.lists(st.integers(), max_size=3),
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), VALUES, max_size=6))
def test_the_quick_way_writes_what_the_long_way_writes(fields: dict[str, object]) -> None:
    quick = quick_logfmt(fields, "no1=x")
    if quick is not None:
        assert quick == format_line({"no1": "x"} | fields, as_json=False)


def test_a_field_of_the_lines_beginning_is_told_once() -> None:
    target = Kept()
    _log(target).event(Event.STARTED, pid=12345, seat=1)
    line = target.text.decode()
    assert line.count("pid=") == 1
    assert parse_logfmt(line)["pid"] == "12345"
    assert list(parse_logfmt(line)) == ["time", "node", "pid", "event", "seat"]


def test_a_line_too_long_for_a_pipe_goes_the_long_way() -> None:
    assert quick_logfmt({"reason": "x" * LINE_MAX_BYTES}, "event=x") is None


@given(st.integers(0, 4_000_000_000_000_000))
def test_time_is_told_in_utc_to_the_microsecond(micro: int) -> None:
    told = datetime.fromisoformat(timestamp(micro / 1_000_000)).timestamp()
    # A float of today's size holds a quarter of a microsecond.
    assert abs(told - micro / 1_000_000) < 0.000_002


def test_lines_of_one_turn_of_the_loop_go_out_together_and_errors_at_once() -> None:
    target = Kept()
    log = _log(target)

    async def turns() -> None:
        log.gather(asyncio.get_running_loop())
        for service in "abc":
            log.event(Event.CONNECTED, service=service)
        assert not target.puts
        await asyncio.sleep(0)
        assert target.puts == 1
        log.event(Event.CONNECTED, service="d")
        log.event(Event.ERROR, what="e")
        assert target.puts == 2
        await asyncio.to_thread(log.event, Event.CONNECTED, service="f")
        while target.puts < 3:
            await asyncio.sleep(0)
        log.event(Event.CONNECTED, service="g")
        log.settle()
        log.event(Event.CONNECTED, service="h")

    asyncio.run(turns())
    log.event(Event.CONNECTED, service="i")
    told = [parse_logfmt(line) for line in target.text.decode().splitlines()]
    assert "".join(one.get("service") or one["what"] for one in told) == "abcdefghi"


def test_lines_held_too_long_go_out_before_they_are_many() -> None:
    target = Kept()
    sink = Sink(target)
    for _ in range(HELD_MAX_BYTES // 1000 + 1):
        sink.hold(b"x" * 999 + b"\n")
    assert target.text
    # As many at once as a pipe takes in one piece.
    assert target.puts == math.ceil(len(target.text) / 4000)


def test_a_client_cannot_forge_a_line() -> None:
    target = Kept()
    _log(target).event(
        Event.REFUSED, sender='x\r\ntime=1 event=accepted user="root"\x1b[2J\u2028\u202e'
    )
    assert target.text.count(b"\n") == 1
    assert b"\r" not in target.text
    assert b"\x1b" not in target.text
    assert "\u202e" not in target.text.decode()
    assert _fields(target)["event"] == "refused"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "key", ["password", "old_password", "secret", "auth", "auth_line", "token", "credentials"]
)
def test_secret_fields_are_refused(key: str, format: str) -> None:
    target = Kept()
    _log(target, format=format).event(Event.LOGIN, **{key: "hunter2"})
    assert b"hunter2" not in target.text
    assert b"[refused]" in target.text


def test_passwords_inside_urls_are_masked() -> None:
    target = Kept()
    _log(target).event(Event.DATABASE, reason="mysql://root:hunter2@db/postfix: gone")
    assert _fields(target)["reason"] == "mysql://root:***@db/postfix: gone"


@pytest.mark.parametrize("format", FORMATS)
def test_long_values_are_shortened_so_that_the_line_fits_a_pipe(format: str) -> None:
    target = Kept()
    recipients = [f"user{n}@example.test" for n in range(2000)]
    _log(target, format=format).event(
        Event.ACCEPTED, recipients=recipients, reason="\x00" * 9000, cause="c" * 9000, size=1
    )
    assert len(target.text) <= LINE_MAX_BYTES
    line = target.text.decode()
    fields = json.loads(line) if format == "json" else parse_logfmt(line)
    assert str(fields["size"]) == "1"
    assert fields["recipients"].startswith("use")


def test_values_that_cannot_be_shown_do_not_raise() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    target = Kept()
    log = _log(target)
    log.event(Event.ERROR, what=Broken(), raw=b"\xff", none=None, yes=True, many={1.5})
    fields = _fields(target)
    assert fields["what"] == "[Broken]"
    assert (fields["raw"], fields["none"], fields["yes"], fields["many"]) == (
        "\\xff",
        "",
        "yes",
        "1.5",
    )
    assert set(fields) >= {"time", "node", "pid", "event"}


def test_exceptions_come_with_their_traceback() -> None:
    target = Kept()
    try:
        raise KeyError("here")
    except KeyError as error:
        _log(target).event(Event.ERROR, what="x", cause=error)
    assert "test_exceptions_come" in _fields(target)["cause"]


def test_level_leaves_out_what_weighs_less() -> None:
    target = Kept()
    log = _log(target, level="warning")
    log.event(Event.CONNECTED, service="imap")
    log.event(Event.STORAGE, path="/", reason="full")
    assert _fields(target)["event"] == "storage"


def test_busy_target_gets_its_lines_later_in_whole() -> None:
    target = Kept()
    log = _log(target)
    target.room = 10
    log.event(Event.CONNECTED, service="a")
    log.event(Event.CONNECTED, service="b")
    assert len(target.text) == 10
    target.room = None
    log.flush()
    assert [parse_logfmt(line)["service"] for line in target.text.decode().splitlines()] == [
        "a",
        "b",
    ]


def test_what_does_not_fit_is_counted_and_told() -> None:
    target = Kept()
    log = _log(target)
    target.room = 0
    for _ in range(WAITING_MAX_BYTES // 1000):
        log.event(Event.CONNECTED, service="x" * 1200)
    target.room = None
    log.flush()
    log.event(Event.CONNECTED, service="last")
    lines = [parse_logfmt(line) for line in target.text.decode().splitlines()]
    written = [line for line in lines if line["event"] == "connected"]
    (lost,) = [line for line in lines if line["event"] == "log-dropped"]
    assert len(written) - 1 + int(lost["lines"]) == WAITING_MAX_BYTES // 1000
    assert lines[-2] is lost


def test_gone_target_does_not_raise_and_is_told_when_back() -> None:
    target = Kept()
    log = _log(target)
    target.broken = True
    log.event(Event.CONNECTED)
    log.event(Event.CONNECTED)
    target.broken = False
    log.event(Event.DISCONNECTED)
    lines = [parse_logfmt(line) for line in target.text.decode().splitlines()]
    assert [(line["event"], line.get("lines")) for line in lines] == [
        ("log-dropped", "2"),
        ("disconnected", None),
    ]


def test_full_pipe_blocks_nobody_and_keeps_its_own_flags() -> None:
    reader, writer = os.pipe()
    try:
        sink = Sink(StreamTarget(writer))
        for _ in range(200):
            sink.write(b"x" * 1000 + b"\n")
        assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
        got = b""
        while got.count(b"\n") < 200:
            got += os.read(reader, 65536)
            sink.flush()
        assert got == (b"x" * 1000 + b"\n") * 200
        sink.close()
    finally:
        os.close(reader)
        os.close(writer)


def test_stream_socket_that_nobody_reads_blocks_nobody() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sink = Sink(StreamTarget(ours.fileno()))
        for _ in range(3000):
            sink.write(b"y" * 1000 + b"\n")
        assert ours.getblocking()
        assert sink.dropped
        theirs.close()
        sink.write(b"z\n")
        sink.close()


def test_file_follows_logrotate(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    log = open_log(LogSettings(destination="file", file=path), node="n1")
    log.event(Event.CONNECTED, service="old")
    path.rename(tmp_path / "mail.log.1")
    log.event(Event.CONNECTED, service="still old")
    log.reopen()
    log.event(Event.CONNECTED, service="new")
    assert (tmp_path / "mail.log.1").read_text().count("\n") == 2
    assert parse_logfmt(path.read_text())["service"] == "new"
    log.close()


def test_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    log = open_log(LogSettings(destination="file", file=folder / "a"), node="n1")
    folder.rename(tmp_path / "moved")
    log.reopen()
    log.event(Event.CONNECTED)
    lines = (tmp_path / "moved" / "a").read_text().splitlines()
    assert [parse_logfmt(line)["event"] for line in lines] == ["settings", "connected"]
    log.close()


def test_log_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="No such file or directory; make the folder"):
        open_log(LogSettings(destination="file", file=tmp_path / "none" / "a"), node="n")


def test_journal_gets_message_priority_and_fields(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        address = f"\0mailnode-journal-{os.getpid()}"
        journal.bind(address)
        log = _log(JournalTarget(address), destination="journal")
        log.event(Event.STORAGE, path="/srv", reason="a\nb")
        log.close()
        said = journal.recv(65536).decode().splitlines()
    assert said[0].startswith("MESSAGE=time=")
    assert said[1:3] == ["PRIORITY=3", "SYSLOG_IDENTIFIER=mailnode"]
    assert "MAILNODE_EVENT=storage" in said
    assert "MAILNODE_PATH=/srv" in said
    assert not any(line.startswith("MAILNODE_REASON") for line in said)


@pytest.fixture
def libraries() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("libraries")
def test_library_warnings_come_in_and_client_lines_stay_out() -> None:
    target = Kept()
    route_library_logs(_log(target))
    # aiosmtpd says what clients send, AUTH lines too, at info and debug.
    logging.getLogger("mail.log").info("AUTH PLAIN %s", "hunter2")
    logging.getLogger("mail.log").debug("hunter2")
    assert target.text == b""
    with contextlib.suppress(ZeroDivisionError):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logging.getLogger("asyncio").exception("Task failed: %s", "x")
            raise
    fields = _fields(target)
    assert (fields["event"], fields["logger"], fields["level"]) == ("library", "asyncio", "error")
    assert fields["text"].startswith("Task failed: x\nTraceback")
    target.text = b""
    logging.getLogger("sqlalchemy").warning("bad format %d", "x")
    assert _fields(target)["text"] == "bad format %d"
