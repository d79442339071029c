"""The lab by hand: brings both machines up and runs what is typed, until the end of input.

n1 COMMAND     a command on n1 (or n2), as root
off n1         pull its plug; "on n1" switches it on and lets it rejoin
cut n1         pull its network cables; "mend n1" puts them back
how            how both machines are
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.vm.console import GuestGone
from tests.vm.images import images
from tests.vm.lab import Lab, laboratory

_COMMAND_S = 600.0


def main() -> None:
    """Read commands from standard input."""
    print("Making the lab, some minutes ...", flush=True)
    with images() as found, laboratory(found) as lab:
        try:
            lab.bring_up()
            lab.raise_addresses()
        except (AssertionError, GuestGone) as error:
            print(error, lab.picture(), sep="\n")
        print(__doc__, flush=True)
        for line in sys.stdin:
            try:
                _obey(lab, line.strip())
            except (AssertionError, GuestGone) as error:
                print(error)
            print("--", flush=True)


def _obey(lab: Lab, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word in lab.machines:
        done = lab.machines[word].say.run(rest, _COMMAND_S)
        print(done.output.rstrip("\n") + (f"\nstatus {done.status}" if done.status else ""))
        return
    if word == "how":
        print(lab.picture())
        return
    orders: dict[str, Callable[[], object]] = {}
    if rest in lab.machines:
        machine = lab.machines[rest]
        orders = {
            "off": machine.power_off,
            "on": lambda: lab.rejoin(machine),
            "cut": lambda: lab.cut_off(machine.spot),
            "mend": lambda: lab.mend(machine.spot),
        }
    if word in orders:
        orders[word]()
    else:
        print(__doc__)


if __name__ == "__main__":
    main()
