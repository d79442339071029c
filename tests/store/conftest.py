from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.runtime import files
from tests.support.mail_store import OpenStore


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenStore]:
    """A store; whatever hook a test set for disk steps is taken off at the end."""
    one = OpenStore(tmp_path)
    yield one
    files.on_step = None
    one.close()
