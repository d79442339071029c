"""What is to be left alone, said in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnode.cluster.drain import (
    NOTHING,
    Drain,
    add_drain,
    drain_path,
    end_drain,
    read_drain,
    write_drain,
)


def test_nothing_is_said(tmp_path: Path) -> None:
    assert read_drain(tmp_path, "n1") == NOTHING
    assert not NOTHING
    assert not NOTHING.closes("192.0.2.1")


def test_addresses_add_up_and_are_taken_back_one_by_one(tmp_path: Path) -> None:
    add_drain(tmp_path, "n1", ["192.0.2.1"])
    drain = add_drain(tmp_path, "n1", ["2001:db8::1"])
    assert drain == read_drain(tmp_path, "n1")
    assert drain.closes("192.0.2.1")
    assert drain.closes("2001:db8::1")
    assert not drain.closes("192.0.2.2")
    assert not drain.closes("")
    assert end_drain(tmp_path, "n1", ["192.0.2.1"]) == Drain(False, frozenset({"2001:db8::1"}))
    assert end_drain(tmp_path, "n1", ["2001:db8::1"]) == NOTHING
    assert not drain_path(tmp_path, "n1").exists()


def test_everything_closes_unix_sockets_too_and_is_taken_back_at_once(tmp_path: Path) -> None:
    add_drain(tmp_path, "n1", ["192.0.2.1"])
    drain = add_drain(tmp_path, "n1", [])
    assert drain.everything
    assert drain.closes("")
    assert read_drain(tmp_path, "n2") == NOTHING
    assert end_drain(tmp_path, "n1", []) == NOTHING
    assert read_drain(tmp_path, "n1") == NOTHING


def test_an_address_that_is_taken_back_does_not_end_the_drain_of_all(tmp_path: Path) -> None:
    add_drain(tmp_path, "n1", ["192.0.2.1"])
    add_drain(tmp_path, "n1", [])
    assert end_drain(tmp_path, "n1", ["192.0.2.1"]) == Drain(True)
    assert read_drain(tmp_path, "n1") == Drain(True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"everything": true}', "7"])
def test_damaged_file_drains_nothing(tmp_path: Path, text: str) -> None:
    write_drain(tmp_path, "n1", Drain(True))
    drain_path(tmp_path, "n1").write_text(text)
    assert read_drain(tmp_path, "n1") == NOTHING
