"""One running server for each module of client tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.admin.instance import Instance
from tests.support.demo_server import demo_server
from tests.support.processes import running

CLIENT_TIMEOUT_S = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with demo_server(tmp_path_factory.mktemp("demo") / "d", users=14) as instance:
        yield instance


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Run a client program to its end; its output. Fails loudly when it fails."""

    def call(*command: str, fails: bool = False, keyboard: bool = False) -> str:
        """``keyboard``: standard input stays open, as at a terminal where nobody types."""
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed: run scripts/test")
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin"}
        environment |= {"LC_ALL": "C.UTF-8", "TERM": "xterm"}
        with (tmp_path / "output").open("wb+") as output:
            with running(
                command,
                stdin=subprocess.PIPE if keyboard else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=tmp_path,
            ) as process:
                status = process.wait(CLIENT_TIMEOUT_S)
            output.seek(0)
            said = output.read().decode("utf-8", "replace")
        assert (status != 0) == fails, f"{command}: {status}\n{said}"
        return said

    return call
