"""Annotations on the disk."""

from pathlib import Path

import pytest

from mailnode.model.errors import TooManyAnnotations
from mailnode.store import notes


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    return bytes(tmp_path / "mailnode.annotations")


def test_each_user_has_private_entries(path: bytes) -> None:
    notes.change(path, "a", {"/private/x": b"\0\xff", "/shared/y": b""}, 10)
    notes.change(path, "b", {"/private/x": b"2"}, 10)
    assert notes.visible(notes.read(path), "a") == {"/private/x": b"\0\xff", "/shared/y": b""}
    assert notes.visible(notes.read(path), "b") == {"/private/x": b"2", "/shared/y": b""}


def test_the_limit_counts_what_a_user_sees(path: bytes) -> None:
    notes.change(path, "a", {f"/private/{n}": b"" for n in range(9)}, 10)
    notes.change(path, "b", {f"/private/{n}": b"" for n in range(10)}, 10)
    with pytest.raises(TooManyAnnotations):
        notes.change(path, "a", {"/private/x": b"", "/private/y": b""}, 10)
    assert len(notes.read(path)) == 19


def test_a_lowered_limit_lets_values_be_changed_and_removed(path: bytes) -> None:
    notes.change(path, "a", {f"/private/{n}": b"" for n in range(9)}, 10)
    notes.change(path, "a", {"/private/1": b"new", "/private/2": None}, 3)
    with pytest.raises(TooManyAnnotations):
        notes.change(path, "a", {"/private/x": b"", "/private/y": b""}, 3)
