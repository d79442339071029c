"""Coverage-guided fuzzing: python -m tests.fuzz [--seconds N] [TARGET ...]

Tries every target (or those named) for some seconds each, with atheris where it is installed (pip
install atheris), else with a smaller fuzzer of our own; prints how many inputs were tried and how
much code they reached. An input that breaks a promise is printed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys


def main(words: list[str]) -> int:
    """See above."""
    if words[:1] == ["--one"]:
        from tests.fuzz.engines import run_atheris

        run_atheris(words[1], int(words[2]), os.environ.get("FUZZ_ARTIFACTS", ""))
        return 0
    from tests.fuzz.engines import by_atheris, by_ourselves, has_atheris
    from tests.fuzz.targets import TARGETS

    options = _options(words, list(TARGETS))
    atheris = has_atheris() and not options.own
    total, failed = 0, []
    print(f"{'target':16}{'fuzzer':9}{'inputs':>11}{'reached':>9}", flush=True)
    for name in options.targets or TARGETS:
        tried = (
            by_atheris(name, options.seconds)
            if atheris
            else by_ourselves(*TARGETS[name], options.seconds)
        )
        print(f"{name:16}{tried.engine:9}{tried.inputs:11}{tried.reached:9}", flush=True)
        total += tried.inputs
        if tried.failed:
            failed.append(name)
            print(f"{name} failed:\n{tried.failed}", flush=True)
    print(f"{total} inputs, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _options(words: list[str], names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names))
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--own", action="store_true", help="our own fuzzer, also beside atheris")
    options = parser.parse_args(words)
    unknown = sorted(set(options.targets) - set(names))
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(names)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
