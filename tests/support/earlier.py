"""An earlier mailnode out of the project's own history, to run beside the present one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_JOURNAL = "mailnode/store/journal.py"
# Where there is no release yet: so many changes of the program ago.
_CHANGES = 30


def earlier_tree(folder: Path) -> Path:
    """The last release (the newest tag), or what was there some changes ago, unpacked below
    ``folder``. Skips, saying why, where there is no history to take it from."""
    release = _git("describe", "--tags", "--abbrev=0", "HEAD~1")
    for commit in [release] if release else _changes_ago():
        tree = folder / commit
        tree.mkdir()
        words = ["archive", commit, "mailnode", "tests", "pyproject.toml"]
        archive = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
        tried = [sys.executable, "-m", "mailnode", "--help"]
        # Not every commit between two releases is one to run.
        if subprocess.run(tried, cwd=tree, capture_output=True, check=False).returncode == 0:
            return tree
    pytest.skip("no earlier version to run: a shallow clone, or none of the present format")


def _changes_ago() -> list[str]:
    """The oldest first. One from before the first release counts when its journals are of the
    present format: until then a format could still be changed for good."""
    found = _git("rev-list", "--first-parent", "HEAD", "--", "mailnode").split()
    present = _format((ROOT / _JOURNAL).read_text())
    early = reversed(found[1 : _CHANGES + 1])
    return [one for one in early if _format(_git("show", f"{one}:{_JOURNAL}")) == present]


def _format(text: str) -> str:
    found = re.search(r"^FORMAT_VERSION = (\d+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    except OSError:
        return ""
    return done.stdout.decode().strip() if done.returncode == 0 else ""
