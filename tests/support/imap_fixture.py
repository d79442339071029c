"""The ``imap`` fixture: a server for one test. Import it into a test module to use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.imap_server import ImapServer, imap_server


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    """A server with an empty account of user1."""
    with imap_server() as server:
        yield server
