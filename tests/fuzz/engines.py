"""Two ways to try a target for some seconds: atheris (libFuzzer), and a small one of our own.

Both keep each input that reaches new code and go on from there.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.bend import bend, dictionary

MAX_BYTES = 2000
# One input may take so long, and the whole target so much memory.
INPUT_S, MEMORY_MIB = 10, 2048
_STATUS = re.compile(r"cov: (\d+)")
_COUNT = re.compile(r"stat::number_of_executed_units: (\d+)|Done (\d+) runs|^#(\d+)\b", re.M)


@dataclass(frozen=True)
class Tried:
    """``inputs`` that were tried; ``reached``: edges (atheris) or lines (our own); ``failed``: the
    input that broke a promise, and how; empty for none."""

    engine: str
    inputs: int
    reached: int
    failed: str = ""


def has_atheris() -> bool:
    """Whether atheris can be imported; it is not, for it would be in our own one's way."""
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def by_atheris(name: str, seconds: int) -> Tried:
    """In a process of its own, for libFuzzer ends it."""
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, check=False, env=_environment(folder))
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        kept = [path.read_bytes() for path in Path(folder).iterdir() if path.is_file()]
    counts = [int(next(filter(None, found))) for found in _COUNT.findall(said)]
    reached = [int(one) for one in _STATUS.findall(said)]
    failed = ""
    if done.returncode != 0:
        raised = said.find("Uncaught Python exception")
        failed = f"{kept!r}\n{said[raised:][:3000] if raised >= 0 else said[-2000:]}"
    return Tried("atheris", max(counts, default=0), max(reached, default=0), failed)


def _environment(folder: str) -> dict[str, str]:
    import os

    return os.environ | {"FUZZ_ARTIFACTS": folder}


def run_atheris(name: str, seconds: int, artifacts: str) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports(include=["mailnode"]):
        from tests.fuzz.targets import TARGETS
    target, seeds = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        words = Path(folder) / "words"
        words.write_bytes(dictionary(seeds))
        options = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-print_final_stats=1"]
        options += [f"-timeout={INPUT_S}", f"-rss_limit_mb={MEMORY_MIB}", f"-dict={words}"]
        options += [f"-artifact_prefix={artifacts}/"] if artifacts else []
        atheris.Setup([sys.argv[0], *options, str(corpus)], target)
        atheris.Fuzz()


def by_ourselves(
    target: Callable[[bytes], None], seeds: Sequence[bytes], seconds: float, seed: int = 1
) -> Tried:
    """Bent seeds; those that reach a new line of mailnode are seeds, too."""
    chance, corpus, lines, inputs = random.Random(seed), list(seeds), Lines(), 0
    end = time.monotonic() + seconds
    pending = list(seeds)
    while time.monotonic() < end:
        raw = pending.pop() if pending else bend(chance, corpus)[:MAX_BYTES]
        began, known = time.monotonic(), len(lines.seen)
        try:
            lines.watch(target, raw)
            assert time.monotonic() - began < INPUT_S, "it took too long"
        except Exception as error:
            return Tried("own", inputs, len(lines.seen), f"{raw!r}\n{error!r}")
        inputs += 1
        if len(lines.seen) > known:
            corpus.append(raw)
    return Tried("own", inputs, len(lines.seen))


class Lines:
    """Which lines of mailnode were ever run."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()

    def watch(self, target: Callable[[bytes], None], raw: bytes) -> None:
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            target(raw)
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if "mailnode" in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line
