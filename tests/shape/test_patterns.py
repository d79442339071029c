"""House rules for regular expressions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "mailnode").rglob("*.py"))
# Python 3.11.2, which Debian 12 ships, matches possessive groups wrongly; single sets are right.
POSSESSIVE_GROUP = re.compile(r"\)[*+?]\+|\(\?>")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(path.parents[2])))
def test_no_possessive_group(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [line for line in lines if "re.compile" in line and POSSESSIVE_GROUP.search(line)]
