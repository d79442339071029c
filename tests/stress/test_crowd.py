"""A short run of the crowd, on one server and on two nodes; ``python -m tests.stress`` for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stress.crowd import let_loose
from tests.stress.worlds import cluster, single

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
SECONDS, SEED, CLIENTS, READERS = 5.0, 20261126, 6, 2


@pytest.mark.parametrize("nodes", [1, 2])
def test_nobody_is_told_anything_wrong(tmp_path: Path, nodes: int) -> None:
    with single(tmp_path) if nodes == 1 else cluster(tmp_path, nodes) as (places, faults):
        found = let_loose(places, CLIENTS, 2, SECONDS, SEED)
        assert found.wrong == [], "\n".join(found.wrong)
        assert faults() == []
    assert found.steps > CLIENTS
    # All clients have told what they believe of all folders, and it was compared: two lasting ones
    # that owner and readers share, and an INBOX each.
    told = sorted(len(one) for one in found.beliefs.values())
    assert told == sorted([CLIENTS, CLIENTS, READERS, CLIENTS - READERS])
