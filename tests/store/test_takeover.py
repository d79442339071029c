"""What other servers leave beside the mail, whole, stale, torn and hostile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.store import takeover
from mailnode.store.takeover import (
    MAX_UID,
    BadForeignState,
    ForeignState,
    parse_courier_subscriptions,
    parse_dovecot_subscriptions,
    parse_uid_list,
    read_foreign,
    read_foreign_subscriptions,
)

GUID = bytes(range(16))


def read(folder: Path, **contents: bytes) -> ForeignState:
    for name, content in contents.items():
        (folder / name.replace("_", "-")).write_bytes(content)
    state = read_foreign(os.fsencode(folder))
    assert state is not None
    return state


def test_nothing_left(tmp_path: Path) -> None:
    assert read_foreign(os.fsencode(tmp_path)) is None
    assert read_foreign(os.fsencode(tmp_path / "missing")) is None


def test_dovecot_version_3(tmp_path: Path) -> None:
    state = read(
        tmp_path,
        dovecot_uidlist=b"3 G%s N11 V1700000000\n" % GUID.hex().encode()
        + b"1 :1.M1P1.host,S=3,W=4\n2 W40 S38 :2.M1P1.host:2,Sa\n9 Puidl:x :3.M1P1.host\n",
        dovecot_keywords=b"0 $Junk\n2 later\n",
    )
    assert (state.uidvalidity, state.uidnext, state.mailbox_guid) == (1700000000, 11, GUID)
    assert state.uids == {b"1.M1P1.host,S=3,W=4": 1, b"2.M1P1.host": 2, b"3.M1P1.host": 9}
    assert state.keywords == ("$Junk", "", "later")


def test_uidnext_lies_above_every_line(tmp_path: Path) -> None:
    state = read(tmp_path, dovecot_uidlist=b"3 V5 N3\n7 :a\n9 garbage\n12 :torn-na")
    assert state.uids == {b"a": 7}
    assert state.uidnext == 13


def test_the_last_line_wins(tmp_path: Path) -> None:
    state = read(tmp_path, dovecot_uidlist=b"3 V5 N9\n1 :a\n2 :b\n3 :a\n2 :c\n")
    assert state.uids == {b"a": 3, b"c": 2}


@pytest.mark.parametrize("name", ["courierimapuiddb", "dovecot_uidlist"])
def test_version_1(tmp_path: Path, name: str) -> None:
    listed = b"1 1600000000 4\n1 160.M1P2V0I3_0.host,S=12\n3 161.M1P2V0I4_0.host,S=12:2,RS\n"
    state = read(tmp_path, **{name: listed})
    assert (state.uidvalidity, state.uidnext, state.mailbox_guid) == (1600000000, 4, None)
    assert state.uids == {b"160.M1P2V0I3_0.host,S=12": 1, b"161.M1P2V0I4_0.host,S=12": 3}


@pytest.mark.parametrize("newer", ["courierimapuiddb", "dovecot-uidlist"])
def test_of_two_servers_the_last_at_work_counts(tmp_path: Path, newer: str) -> None:
    (tmp_path / "courierimapuiddb").write_bytes(b"1 11 2\n1 a\n")
    (tmp_path / "dovecot-uidlist").write_bytes(b"3 V22 N2\n1 :a\n")
    for path in tmp_path.iterdir():
        os.utime(path, (1000, 2000 if path.name == newer else 1000))
    state = read_foreign(os.fsencode(tmp_path))
    assert state is not None
    assert state.uidvalidity == (11 if newer == "courierimapuiddb" else 22)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"3 V5 N3",  # torn header
        b"\n",
        b"3 V5\n1 :a\n",
        b"3 N5\n1 :a\n",
        b"3 V0 N5\n1 :a\n",
        b"3 V4294967296 N5\n",
        b"3 V5 N99999999999999999999\n",
        b"3 Vx Ny\n",
        b"2 5 3\n1 a\n",
        b"4 V5 N3\n1 :a\n",
        b"3 V5 N3\n4294967295 :a\n",  # no UID would be left
        b"\xff\xfe" * 100 + b"\n",
    ],
)
def test_a_list_without_a_sound_header_gives_nothing(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "dovecot-uidlist").write_bytes(raw)
    assert read_foreign(os.fsencode(tmp_path)) is None


def test_impossible_lines_are_passed_over(tmp_path: Path) -> None:
    lines = [b"0 :zero", b"5 :", b"6 :../../etc/passwd", b"7 :.hidden", b"x :a", b"", b"8:b"]
    state = read(tmp_path, dovecot_uidlist=b"3 V5 N3\n" + b"\n".join(lines) + b"\n9 :good\n")
    assert state.uids == {b"good": 9}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, MAX_UID), st.sampled_from([b"a", b"b", b"a:2,S", b"c d"])),
        max_size=12,
    ),
    st.integers(0, 400),
    st.binary(max_size=20),
)
def test_uids_never_clash(lines: list[tuple[int, bytes]], cut: int, noise: bytes) -> None:
    raw = b"3 V5 N3\n" + b"".join(b"%d :%s\n" % line for line in lines)
    listed = parse_uid_list(raw[:cut] + noise + raw[cut:])
    if listed is not None:
        assert len(set(listed.uids.values())) == len(listed.uids)
        assert all(0 < uid < listed.uidnext for uid in listed.uids.values())


def test_a_monstrous_list_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "MAX_LIST_BYTES", 20)
    (tmp_path / "dovecot-uidlist").write_bytes(b"3 V5 N3\n1 :a\n2 :b\n3 :c\n")
    with pytest.raises(BadForeignState):
        read_foreign(os.fsencode(tmp_path))


def test_what_is_no_file_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dovecot-uidlist")
    (tmp_path / "dovecot-keywords").mkdir()
    assert read_foreign(os.fsencode(tmp_path)) is None


def test_keywords_beyond_z_or_unspeakable_are_dropped(tmp_path: Path) -> None:
    state = read(
        tmp_path,
        dovecot_keywords=b"25 last\n26 beyond\n0 \xc3\x9cn\n1 br(ack\nx y\n3 \\Seen\n4 ok\r\n",
    )
    assert state.uidvalidity == 0
    assert state.uids == {}
    assert state.keywords == ("", "", "", "", "ok", *[""] * 20, "last")


def test_courier_keywords(tmp_path: Path) -> None:
    folder = tmp_path / "courierimapkeywords"
    folder.mkdir()
    (folder / ":list").write_bytes(
        b"$Label1\nwork\n\n1.a.host:0 1\n2.b.host:1\n3.c.host:0 9 x\nbad\n"
    )
    (folder / ".1.2.b.host").write_bytes(b"old\n")
    (folder / ".5.2.b.host").write_bytes(b"new\nwork\n")
    (folder / "1.a.host").write_bytes(b"")
    (folder / ".7.1.a.host").write_bytes(b"never\n")
    state = read(tmp_path, courierimapuiddb=b"1 7 9\n1 1.a.host\n")
    assert state.marks == {b"2.b.host": ("new", "work")}
    assert state.uids == {b"1.a.host": 1}


def test_dovecot_subscriptions() -> None:
    raw = b"V\t2\n\nINBOX\nSent\t2024\nEntw&APw-rfe &- Co\nwith\x01tab\nslash/ed\n\nSent\t2024\n"
    assert parse_dovecot_subscriptions(raw) == ["INBOX", "Sent/2024", "Entwürfe & Co"]
    assert parse_dovecot_subscriptions(b"INBOX\nSent.2024\nEntw&APw-rfe") == [
        "INBOX", "Sent/2024", "Entwürfe",
    ]  # fmt: skip


def test_courier_subscriptions(tmp_path: Path) -> None:
    raw = b"INBOX\nINBOX.Sent.2024\nINBOX.Entw&APw-rfe\n\n"
    assert parse_courier_subscriptions(raw) == ["INBOX", "Sent/2024", "Entwürfe"]
    assert read_foreign_subscriptions(os.fsencode(tmp_path)) is None
    (tmp_path / "courierimapsubscribed").write_bytes(raw)
    assert read_foreign_subscriptions(os.fsencode(tmp_path)) == ["INBOX", "Sent/2024", "Entwürfe"]
    (tmp_path / "subscriptions").write_bytes(b"V\t2\n\nother\n")
    assert read_foreign_subscriptions(os.fsencode(tmp_path)) == ["other"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_subscriptions(raw: bytes) -> None:
    parse_dovecot_subscriptions(raw)
    parse_dovecot_subscriptions(b"V\t2\n\n" + raw)
    parse_courier_subscriptions(raw)
