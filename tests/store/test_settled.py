"""Changes of flags that a stored message has made durable are not synced once more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import FlagsOp
from tests.support.mail_store import OpenStore, message

NONE: frozenset[str] = frozenset()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenStore]:
    # So long that only the end of the store does what waits, if the test is not very slow.
    made = OpenStore(tmp_path, flag_sync_s=60)
    yield made
    made.close()


@contextmanager
def steps_in_the_background() -> Iterator[list[str]]:
    found: list[str] = []

    def note(step: str, _: bytes | str) -> None:
        if threading.current_thread().name == "flag-sync":
            found.append(step)

    files.on_step = note
    try:
        yield found
    finally:
        files.on_step = None


def test_a_message_stored_after_the_change_leaves_nothing_to_be_synced(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
    folder.append([message("b")])
    with steps_in_the_background() as found:
        opened.store._services.lazy.close()
    assert found == []
    folder.close()


def test_a_change_after_the_message_is_synced(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.store_flags([], FlagsOp.ADD, Flag.SEEN, NONE)
    folder.append([message("a")])
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
    with steps_in_the_background() as found:
        opened.store._services.lazy.close()
    assert found == ["fdatasync", "fsync-dir"]
    folder.close()


def test_a_record_that_another_synced_settles_no_change(opened: OpenStore) -> None:
    """Of two that store and look, one may find that the other has synced the journal before a
    change of flags came in between."""
    folder = opened.folder()
    folder.append([message("a")])
    core = folder._core  # type: ignore[attr-defined]  # of a MaildirFolder
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
    assert not core.unsynced_uids
    folder._settle()  # type: ignore[attr-defined]
    with steps_in_the_background() as found:
        opened.store._services.lazy.close()
    assert found == ["fdatasync", "fsync-dir"]
    folder.close()
