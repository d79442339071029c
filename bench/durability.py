"""How often each server waits for the disk while it takes mail: python -m bench.durability

strace is attached to every process of mailnode, then of the peer, while smtp-source sends; counted
are the calls that make a file or a folder durable. A server that acknowledges without them would
be measured against others that do not.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.instance import allow_many_sockets
from bench.ours import ours
from bench.peers.stack import missing, peer
from bench.scenarios import deliver
from bench.scenarios.deliver import SPARE_USERS, Load
from bench.server import Server

_CALLS = "fsync,fdatasync,syncfs,sync_file_range,msync"
_CALL = re.compile(r"(fsync|fdatasync|syncfs|sync_file_range|msync)\(\d+<([^>]*)>")
_ATTACH_WITHIN_S = 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--alone", action="store_true", help="mailnode only, without the peer")
    options = parser.parse_args()
    if not shutil.which("strace"):
        raise SystemExit("no strace here: apt-get install strace")
    allow_many_sockets()
    starts: list[Callable[[int], AbstractContextManager[Server]]] = [ours]
    starts += [] if options.alone or missing() else [peer]
    for start in starts:
        with start(options.messages + SPARE_USERS) as server:
            _report(server, options.messages)


def _report(server: Server, messages: int) -> None:
    load = Load("durability", messages)
    deliver.send(server, load)  # mailboxes and caches are there afterwards
    deliver.settle(server)
    with _traced(server.pids()) as lines:
        deliver.send(server, load)
        deliver.settle(server)
    counts = _count(lines, str(server.mail))
    print(f"{server.name}: waits for the disk per message, {messages} messages")
    for what, number in sorted(counts.items()):
        print(f"  {what:32} {number / messages:6.2f}")


@contextmanager
def _traced(pids: list[int]) -> Iterator[list[str]]:
    """The calls of these processes and their children during the block."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "calls")
        command = ["strace", "-f", "-y", "-o", str(path), "-e", f"trace={_CALLS}"]
        command += [word for pid in pids for word in ("-p", str(pid))]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert tracer.stderr is not None
            for _ in pids:  # "strace: Process N attached"
                tracer.stderr.readline()
            yield lines
        finally:
            tracer.terminate()
            tracer.communicate(timeout=_ATTACH_WITHIN_S)
        lines += path.read_text(errors="replace").splitlines()


def _count(lines: list[str], mail: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        call = _CALL.search(line)
        if call is not None:
            found[f"{call[1]} {_kind(call[2], mail)}"] += 1
    return found


def _kind(path: str, mail: str) -> str:
    """What was synced: a message, a folder of messages, or what lies beside them."""
    if not path.startswith(mail):
        return "elsewhere (queue, database)"
    place = Path(path)
    if place.name in ("new", "cur", "tmp"):
        return f"folder {place.name}/"
    return "message" if place.parent.name in ("new", "cur", "tmp") else "index or journal"


if __name__ == "__main__":
    main()
