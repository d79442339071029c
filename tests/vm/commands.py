"""Commands on the host that may take minutes."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


def long_checked(command: Sequence[str], timeout_s: float) -> None:
    """Run to the end; an ``AssertionError`` with its output when it fails or takes longer."""
    done = subprocess.run(
        ["timeout", "-k", "5", str(timeout_s), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-8000:]}"
