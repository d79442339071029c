"""One running server for each module of client tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.admin.instance import Instance
from tests.support.demo_server import demo_server

CLIENT_TIMEOUT_S = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with demo_server(tmp_path_factory.mktemp("demo") / "d", users=12) as instance:
        yield instance


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Run a client program to its end; its output. Fails loudly when it fails."""

    def call(*command: str, fails: bool = False, feed: str = "") -> str:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed: run scripts/test")
        done = subprocess.run(
            command,
            input=feed,
            capture_output=True,
            text=True,
            timeout=CLIENT_TIMEOUT_S,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"},
            cwd=tmp_path,
            check=False,
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}: {done.returncode}\n{output}"
        return output

    return call
