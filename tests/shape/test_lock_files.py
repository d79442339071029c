"""A lock file holds against releases that come after it."""

import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
_WITH_EXTRAS = re.compile(r"^([A-Za-z0-9._-]+)\[([^\]]+)\]")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(lock: str) -> dict[str, set[str]]:
    """Each pinned package with the extras its pin names."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[([^\]]+)\])?==", line)
        if match:
            found[_normal(match[1])] = set(filter(None, (match[2] or "").split(",")))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_pins_name_the_extras_that_packages_ask_for(lock: str) -> None:
    # Else pip takes a newer release to look for the extra in, and refuses it for want of a hash.
    pinned = _pinned(lock)
    assert pinned
    for name in pinned:
        for line in _requirements(name):
            asked = _WITH_EXTRAS.match(line)
            if asked and "extra ==" not in line and _normal(asked[1]) in pinned:
                extras = {one.strip() for one in asked[2].split(",")}
                assert extras <= pinned[_normal(asked[1])], f"{lock}: {name} asks for {line}"


def _requirements(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
