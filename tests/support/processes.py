"""Processes that end with a block, also with one that raises half way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

_ENDS_S = 30.0


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """``subprocess.Popen``; what has not ended by itself is killed, where Popen's own block would
    wait for it for ever."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def children(*processes: BaseProcess) -> Iterator[None]:
    """Start these of ``multiprocessing``, which are not to outlive a block that waits for them."""
    with ExitStack() as stack:
        for process in processes:
            process.start()
            stack.callback(_end, process)
        yield


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join(_ENDS_S)
