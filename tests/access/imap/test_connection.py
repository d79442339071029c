"""Connection without a framework: octets in, octets out, on the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailnode.access.admission import Census
from mailnode.access.imap.connection import RELAX_S, Connection
from mailnode.access.imap.means import Means
from mailnode.access.imap.patience import CLOSING_S
from mailnode.access.imap.selected import Selected
from mailnode.access.link import INPUT_HIGH
from mailnode.model.errors import StorageGone
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import Pool
from mailnode.store import NewMessage
from tests.support.fake_store import FakeStore
from tests.support.imap_server import FakeGate, InstantHints

SETTINGS = ImapSettings(plaintext_login=True)


@dataclass
class FakeWire:
    """What the client would get, and what was asked of the transport."""

    sent: bytearray = field(default_factory=bytearray)
    paused: bool = False
    closed: bool = False
    aborted: bool = False
    tls: bool = False
    relaxed: bool = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def flush(self) -> None:
        pass

    def start_tls(self) -> None:
        self.tls = True

    def tunnel(self) -> Any:
        return None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def relax(self) -> None:
        self.relaxed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


@dataclass
class HandClock:
    """Turned by hand."""

    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Bench:
    """One connection on a fake wire."""

    def __init__(self, pool: Pool, limits: ImapSettings = SETTINGS) -> None:
        self.wire, self.clock, self.log = FakeWire(), HandClock(), ListLog()
        self.hints = InstantHints(asyncio.get_running_loop())
        self.store = FakeStore(self.hints.publish)
        self.gate = FakeGate()
        self.ended: list[Connection] = []
        census = Census(limits.max_sessions_per_user_ip)
        self.means = Means(
            limits, self.gate, self.store, pool, self.hints, self.clock, self.log, census=census
        )
        self.link = Connection(self.means, self.wire, "192.0.2.1", False, self.ended.append)
        self.link.opened()

    async def until(self, held: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not held():
                await asyncio.sleep(0.001)

    async def say(self, text: bytes, answer: bytes) -> bytes:
        """Send and wait until the output holds ``answer``; all output since the last time."""
        self.link.received(text)
        await self.until(lambda: answer in self.wire.sent)
        sent = bytes(self.wire.sent)
        self.wire.sent.clear()
        return sent

    async def log_in(self) -> None:
        await self.say(b"l LOGIN user1 secret\r\n", b"l OK")

    async def end(self) -> None:
        self.link.gone()
        await self.until(lambda: bool(self.ended))


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(2, "connection-test")
    yield pool
    pool.close()


async def test_input_waits_while_a_command_runs(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    lines = 100_000
    for at in range(0, lines, 2000):
        bench.link.received(b"".join(b"n%d NOOP\r\n" % n for n in range(at, at + 2000)))
        unread = len(bench.link._input)
        assert unread < INPUT_HIGH + 40_000
        await bench.until(lambda: not bench.wire.paused)
    await bench.until(lambda: b"n%d OK" % (lines - 1) in bench.wire.sent)
    assert bench.wire.sent.count(b" OK ") == lines
    await bench.end()


@pytest.mark.parametrize("size", [INPUT_HIGH + 1, 160_000, 262_144, 262_145, 400_000])
async def test_a_literal_that_is_held_in_memory_is_read_to_its_end(pool: Pool, size: int) -> None:
    bench = Bench(pool)
    await bench.log_in()
    text = b"a APPEND INBOX {%d+}\r\n%b\r\n" % (size, b"x" * size)
    for at in range(0, len(text), 60_000):
        # As a transport does: nothing more comes while it is paused.
        await bench.until(lambda: not bench.wire.paused)
        bench.link.received(text[at : at + 60_000])
    await bench.until(lambda: b"a OK" in bench.wire.sent)
    await bench.end()


async def test_others_get_their_turn_within_a_pipeline(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    bench.link.received(b"n NOOP\r\n" * 5000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.wire.sent.count(b"n OK") < 100
    await bench.end()


async def test_a_client_that_does_not_read_holds_one_piece_and_is_left(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    bench.link.output_blocked()
    bench.wire.sent.clear()
    bench.link.received(b"n CAPABILITY\r\n" * 5000)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert bench.wire.sent.count(b"n OK") == 1
    bench.clock.at += SETTINGS.write_timeout_s + 1
    bench.link.sweep(bench.clock.at)
    assert bench.wire.aborted
    await bench.end()
    assert bench.log.events[-1][1]["reason"] == "client does not read"


async def test_a_client_that_reads_again_gets_the_rest(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    bench.link.output_blocked()
    bench.link.received(b"n NOOP\r\n" * 3)
    await asyncio.sleep(0.01)
    bench.link.output_free()
    await bench.until(lambda: bench.wire.sent.count(b"n OK") == 3)
    await bench.end()


async def test_no_task_while_idle(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    await bench.say(b"b IDLE\r\n", b"+ idling")
    await bench.until(lambda: bench.link._task is None)
    bench.clock.at += SETTINGS.idle_timeout_s - 1
    bench.link.sweep(bench.clock.at)
    assert not bench.wire.closed
    bench.clock.at += 2
    bench.link.sweep(bench.clock.at)
    assert b"* BYE" in bench.wire.sent
    assert bench.wire.closed
    bench.clock.at += CLOSING_S + 1
    bench.link.sweep(bench.clock.at)
    assert bench.wire.aborted
    await bench.end()


async def test_a_message_is_kept_and_seen_in_one_visit_to_the_pool(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    visits: list[object] = []
    real = Pool.run

    async def run(self: Pool, call: Any, *args: object) -> Any:
        visits.append(call)
        return await real(self, call, *args)

    monkeypatch.setattr(Pool, "run", run)
    sent = await bench.say(b"b APPEND INBOX {1+}\r\nx\r\n", b"b OK [APPENDUID ")
    assert b"* 1 EXISTS" in sent
    assert len(visits) == 1
    assert b"EXISTS" not in await bench.say(b"c NOOP\r\n", b"c OK")
    await bench.end()


async def test_a_message_that_is_kept_is_ok_though_nobody_can_look(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")

    def gone(selected: Selected) -> None:
        raise StorageGone("EIO")

    monkeypatch.setattr(Selected, "look", gone)
    assert b"EXISTS" not in await bench.say(b"b APPEND INBOX {1+}\r\nx\r\n", b"b OK [APPENDUID ")
    monkeypatch.undo()
    assert b"* 1 EXISTS" in await bench.say(b"c NOOP\r\n", b"c OK")
    await bench.end()


async def test_a_quiet_connection_gives_memory_back(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    bench.link.sweep(bench.clock.at)
    assert not bench.wire.relaxed
    bench.clock.at += RELAX_S + 1
    bench.link.sweep(bench.clock.at)
    assert bench.wire.relaxed
    await bench.say(b"a NOOP\r\n", b"a OK")
    await bench.end()


async def test_stranger_has_little_time(pool: Pool) -> None:
    bench = Bench(pool)
    bench.link.received(b"a LOGIN user1 {6}\r\nsec")
    bench.clock.at += SETTINGS.login_timeout_s + 1
    await bench.until(lambda: b"+ go on" in bench.wire.sent)
    await bench.until(lambda: bench.link._task is None)
    bench.link.sweep(bench.clock.at)
    assert b"* BYE" in bench.wire.sent
    await bench.end()


async def test_stranger_waiting_in_authenticate_has_little_time(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.say(b"a AUTHENTICATE PLAIN\r\n", b"+ \r\n")
    await bench.until(lambda: bench.link._waiter is not None)
    bench.clock.at += SETTINGS.login_timeout_s + 1
    bench.link.sweep(bench.clock.at)
    assert b"* BYE" in bench.wire.sent
    await bench.end()


async def test_folder_is_closed_when_the_client_leaves(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    folder = bench.store.accounts["user1"].kept["INBOX"]
    assert (folder.opens, len(bench.hints.heard[folder.key])) == (1, 1)
    await bench.end()
    assert (folder.opens, len(bench.hints.heard[folder.key])) == (0, 0)
    assert len(bench.means.census) == 0


async def test_our_fault_is_told_by_reference_only(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()

    def broken() -> None:
        raise RuntimeError("/srv/secret")

    account = bench.store.accounts["user1"]
    monkeypatch.setattr(account, "folders", broken)
    sent = await bench.say(b'a LIST "" *\r\n', b"a NO")
    assert b"[SERVERBUG]" in sent
    assert b"secret" not in sent
    event, fields = bench.log.events[-1]
    assert event is Event.ERROR
    assert "/srv/secret" in str(fields["cause"])
    await bench.say(b"b NOOP\r\n", b"b OK")
    await bench.end()


async def test_a_connection_that_nobody_serves_any_more_is_cut(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()

    async def step(link: Connection) -> bool:
        raise asyncio.CancelledError

    monkeypatch.setattr(Connection, "_step", step)
    bench.link.received(b"a NOOP\r\n")
    await bench.until(lambda: bench.link._task is None)
    assert bench.wire.aborted
    await bench.end()


async def test_storage_gone_is_temporary_and_logged(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    folder = bench.store.accounts["user1"].kept["INBOX"]

    def gone(rescan: bool = False) -> None:
        raise StorageGone("EIO")

    monkeypatch.setattr(folder, "refresh", gone)
    sent = await bench.say(b"b NOOP\r\n", b"b NO")
    assert b"[UNAVAILABLE]" in sent
    assert bench.log.events[-1][0] is Event.STORAGE
    monkeypatch.undo()
    await bench.say(b"c NOOP\r\n", b"c OK")
    await bench.end()


async def test_drain_lets_the_running_command_end(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    bench.link.received(b"a SELECT INBOX\r\n")
    await asyncio.sleep(0)
    bench.link.stop()
    await bench.until(lambda: bench.wire.closed)
    assert bench.wire.sent.index(b"a OK") < bench.wire.sent.index(b"* BYE [UNAVAILABLE]")
    await bench.end()


async def test_gone_in_the_middle_of_anything(pool: Pool) -> None:
    for start in (b"a", b"a LOGIN user1 {6}\r\n", b"a AUTHENTICATE PLAIN\r\n", b"a LOGIN u s\r\n"):
        bench = Bench(pool)
        bench.link.received(start)
        await asyncio.sleep(0)
        await bench.end()


WORDS = st.sampled_from(
    [
        *b"a1|LOGIN|user1|secret|SELECT|INBOX|FETCH|1:*|(FLAGS BODY[])|STORE|+FLAGS|(\\Seen)".split(
            b"|"
        ),
        *b'SEARCH|ALL|NOT|UID|APPEND|{3}|{3+}|abc|IDLE|DONE|LIST|%|*|""|(|)|COPY|Trash'.split(b"|"),
        *b"AUTHENTICATE|PLAIN|=|EXPUNGE|CLOSE|LOGOUT|{99999999999}|{9999+}|\r\n|\r\n|\r\n|\n".split(
            b"|"
        ),
    ]
)
PIECES = st.lists(
    st.one_of(WORDS.map(lambda word: word + b" "), WORDS, st.binary(max_size=40)), min_size=2
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=PIECES, logged_in=st.booleans())
async def test_no_octets_break_it(pool: Pool, pieces: list[bytes], logged_in: bool) -> None:
    bench = Bench(pool)
    if logged_in:
        await bench.log_in()
        await bench.say(b"s SELECT INBOX\r\n", b"s OK")
    for piece in pieces:
        bench.link.received(piece)
        await asyncio.sleep(0)
    await bench.until(lambda: bench.link._task is None or bench.link._waiter is not None)
    await bench.end()
    assert not [fields for event, fields in bench.log.events if event is Event.ERROR]


async def test_idle_outlives_a_storage_that_is_away(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    await bench.say(b"b IDLE\r\n", b"+ idling")
    folder = bench.store.accounts["user1"].kept["INBOX"]

    def gone(rescan: bool = False) -> None:
        raise StorageGone("EIO")

    monkeypatch.setattr(folder, "refresh", gone)
    bench.hints.publish(folder.key, 0)
    await bench.until(lambda: bench.log.events[-1][0] is Event.STORAGE)
    assert not bench.wire.sent
    monkeypatch.undo()
    folder.append([NewMessage((b"x",), 0.0)])
    await bench.until(lambda: b"* 1 EXISTS" in bench.wire.sent)
    await bench.end()


async def test_hint_of_nothing_new_makes_one_look(pool: Pool) -> None:
    bench = Bench(pool)
    await bench.log_in()
    await bench.say(b"a SELECT INBOX\r\n", b"a OK")
    await bench.say(b"b IDLE\r\n", b"+ idling")
    bench.hints.publish(bench.store.accounts["user1"].kept["INBOX"].key, 1 << 40)
    await asyncio.sleep(0.01)
    await bench.until(lambda: bench.link._task is None)
    assert not bench.wire.sent
    await bench.end()
