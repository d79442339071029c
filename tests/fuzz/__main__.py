"""Coverage-guided fuzzing: ``python -m tests.fuzz TARGET [SECONDS]`` (needs atheris from PyPI).

Prints how many inputs it tried; an input that breaks a promise is printed and kept in a file
``crash-…`` by libFuzzer.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main(arguments: list[str]) -> int:
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        print("tests.fuzz: please install atheris (pip install atheris)", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["mailnode"]):
        from tests.fuzz.targets import TARGETS
    if not arguments or arguments[0] not in TARGETS:
        print(f"tests.fuzz: name one of {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    target, seeds = TARGETS[arguments[0]]
    seconds = arguments[1] if len(arguments) > 1 else "60"
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=2000", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, corpus], target)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
