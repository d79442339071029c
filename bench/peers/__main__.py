"""Run the peer until Ctrl-C: python -m bench.peers [--users N] [--dir DIR]."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path

from bench.clock import heed_endings
from bench.peers.stack import peer


def main() -> None:
    """Start, print addresses and credentials as JSON, wait, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument(
        "--dir", type=Path, help="keep everything here; default: removed at the end"
    )
    options = parser.parse_args()
    heed_endings()
    with peer(options.users, options.dir) as server:
        facts = {"services": server.services, "users": len(server.users), "first": server.users[0]}
        print(json.dumps({**facts, "password": server.password}), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
