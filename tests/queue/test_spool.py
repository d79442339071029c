"""The spool on disk: what is promised is there, what is damaged is set aside."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from mailnode.model.errors import StorageGone
from mailnode.queue.entry import Damaged, State, format_entry, format_state, parse_entry
from mailnode.queue.spool import DiskSpool
from mailnode.runtime.maillog import Event, ListLog
from tests.support.smtp_world import FakeClock
from tests.support.spool_world import MESSAGE, debt, envelope, make_spool, queue_id

ID = queue_id(1)


def put(spool: DiskSpool, number: int = 1) -> None:
    spool.accept(envelope(number), [MESSAGE[:20], memoryview(MESSAGE)[20:]], [debt()])


def test_round_trip(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    put(spool)
    loaded = spool.load(ID)
    assert loaded is not None
    spooled, message = loaded
    with message:
        assert spooled.envelope == envelope(1)
        assert spooled.debts == (debt(),)
        assert message.read() == MESSAGE
        assert os.pread(message.fileno(), 8, 0) == MESSAGE[:8]


def test_a_file_as_chunk(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    with tempfile.TemporaryFile(buffering=0) as body:
        body.write(MESSAGE)
        spool.accept(envelope(), [b"Trace: x\r\n", body], [debt()])
    loaded = spool.load(ID)
    assert loaded is not None
    with loaded[1] as message:
        assert message.read() == b"Trace: x\r\n" + MESSAGE


def test_due_in_order_of_time(tmp_path: Path) -> None:
    clock = FakeClock()
    spool = make_spool(tmp_path, clock)
    assert spool.due(clock.now()) == []
    assert spool.next_due() is None
    for number in (3, 1, 2):
        put(spool, number)
        clock.at += 1
    assert spool.due(clock.now()) == []
    first = spool.next_due()
    assert first is not None
    assert 45 < first - 1_700_000_000 < 75
    assert set(spool.due(clock.now() + 100)) == {queue_id(n) for n in (1, 2, 3)}
    assert spool.due(first) == [queue_id(3)] or len(spool.due(first)) == 1


def test_a_claim_keeps_others_away(tmp_path: Path) -> None:
    one, two = make_spool(tmp_path), make_spool(tmp_path)
    put(one)
    loaded = one.load(ID)
    assert loaded is not None
    assert two.load(ID) is None
    assert one.load(ID) is None
    with pytest.raises(StorageGone):
        two.record(ID, [], 0.0)
    loaded[1].close()
    again = two.load(ID)
    assert again is not None
    again[1].close()
    assert not one._claims
    assert not two._claims


def test_record_and_remove(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    put(spool)
    loaded = spool.load(ID)
    assert loaded is not None
    with loaded[1]:
        spool.record(ID, [debt("carol@other.test", 3)], 5.0)
        spool.record(ID, [debt("carol@other.test", 4)], 6.0)
    assert spool.due(6.0) == [ID]
    loaded = spool.load(ID)
    assert loaded is not None
    assert loaded[0].debts == (debt("carol@other.test", 4),)
    with loaded[1]:
        spool.record(ID, [], 0.0)
    assert spool.load(ID) is None
    assert spool.ids("active") == []
    spool.close()
    assert os.listdir(tmp_path / "queue" / "incoming") == []


def test_hold(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    put(spool)
    loaded = spool.load(ID)
    assert loaded is not None
    with loaded[1]:
        spool.hold(ID, "why")
    assert spool.due(1e12) == []
    peeked = spool.peek(ID)
    assert peeked is not None
    assert (peeked[0], peeked[1].state.held) == ("held", "why")


@pytest.mark.parametrize("name", ["entry", "message"])
@pytest.mark.parametrize("how", ["cut", "flip", "gone", "grown"])
def test_damage_is_set_aside_and_logged(tmp_path: Path, name: str, how: str) -> None:
    log = ListLog()
    spool = make_spool(tmp_path, log=log)
    put(spool, 1)
    put(spool, 2)
    path = tmp_path / "queue" / "active" / ID / name
    data = path.read_bytes()
    middle = len(data) // 2
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:middle])
    elif how == "flip":
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    else:
        path.write_bytes(data + b"?")
    spool = make_spool(tmp_path, log=log)
    assert queue_id(2) in spool.due(1e12)
    loaded = spool.load(ID)
    if (name, how) == ("entry", "grown"):
        assert loaded is not None  # a torn tail is no damage
        loaded[1].close()
        return
    assert loaded is None
    assert (tmp_path / "queue" / "corrupt" / ID).is_dir()
    assert [fields["queue_id"] for event, fields in log.events if event is Event.STORAGE] == [ID]
    assert spool.ids("active") == [queue_id(2)]


def test_a_torn_state_falls_back_and_is_cut_off(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    put(spool)
    path = tmp_path / "queue" / "active" / ID / "entry"
    torn = format_state(State((debt("x@y.test"),), 9.0))
    whole = path.read_bytes()
    for cut in range(len(torn)):
        path.write_bytes(whole + torn[:cut])
        loaded = spool.load(ID)
        assert loaded is not None
        with loaded[1]:
            assert loaded[0].debts == (debt(),)
            spool.record(ID, [debt("next@y.test")], 1.0)
        assert parse_entry(path.read_bytes()).state.debts == (debt("next@y.test"),)


def test_strange_ids_touch_nothing(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    for bad in ("", "..", "../held", "x/y", ID.lower(), ID + "0"):
        assert spool.load(bad) is None
        assert spool.peek(bad) is None


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_entry_parser_never_fails_otherwise(cut: int) -> None:
    whole = format_entry(envelope(), 5, 6, State((debt(),), 1.0))
    with pytest.raises(Damaged):
        parse_entry(whole[: min(cut, len(whole) - 1)])


def test_entry_refuses_what_would_escape() -> None:
    evil = debt()
    object.__setattr__(evil, "maildir", "../../etc")
    with pytest.raises(Damaged, match="escapes"):
        parse_entry(format_entry(envelope(), 5, 6, State((evil,), 1.0)))


def test_lower_case_records_of_a_later_version_are_skipped() -> None:
    import zlib

    payload = b"new"
    extra = b"n" + len(payload).to_bytes(4, "big") + zlib.crc32(b"n" + payload).to_bytes(4, "big")
    whole = format_entry(envelope(), 5, 6, State((debt(),), 1.0)) + extra + payload
    whole += format_state(State((), 2.0))
    assert parse_entry(whole).state.next_try_at == 2.0


def test_missing_storage_is_gone_and_comes_back(tmp_path: Path) -> None:
    import shutil

    spool = make_spool(tmp_path / "mount")
    with pytest.raises(StorageGone):
        put(spool)
    (tmp_path / "mount").mkdir()
    put(spool)
    shutil.rmtree(tmp_path / "mount" / "queue")
    with pytest.raises(StorageGone):
        put(spool, 2)
    put(spool, 3)
    assert spool.ids("active") == [queue_id(3)]


def test_dead_workshops_are_swept_living_ones_not(tmp_path: Path) -> None:
    living, other = make_spool(tmp_path), make_spool(tmp_path)
    put(living)
    corner = tmp_path / "queue" / "incoming"
    (corner / "dead").mkdir()
    (corner / "dead" / queue_id(7)).mkdir()
    (corner / "dead" / queue_id(7) / "message").write_bytes(b"x")
    (corner / "dead.lock").write_bytes(b"")
    other.sweep()
    assert len(os.listdir(corner)) == 2
    put(living, 2)
    assert len(living.ids("active")) == 2
