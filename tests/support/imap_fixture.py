"""The ``imap`` fixture: a server for one test, on the store in memory and on the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.store import Store
from mailnode.store.guard import lay_guard
from mailnode.store.maildir_store import MaildirStore
from tests.support.fake_store import FakeStore
from tests.support.imap_server import ImapServer, StoreMaker, imap_server


def maildir_store(folder: Path, node: str = "", **settings: Any) -> StoreMaker:
    """Makes real stores below ``folder``, with a view for each node."""

    def make(on_change: Callable[[str, int], None]) -> Store:
        root = folder / "mail"
        root.mkdir(parents=True, exist_ok=True)
        lay_guard(root)
        return MaildirStore(
            root=root,
            state=folder / f"state{node}",
            node=node or "test",
            settings=StorageSettings(**settings),
            clock=SystemClock(),
            log=NullLog(),
            on_change=on_change,
            on_use=lambda user, size, count: None,
        )

    return make


@pytest.fixture(params=["fake", "real"])
def imap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImapServer]:
    """A server with an empty account of user1."""
    make = FakeStore if request.param == "fake" else maildir_store(tmp_path)
    with imap_server(make_store=make) as server:
        yield server
