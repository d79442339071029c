"""A supervised server of two workers that say their pid: run as a program by tests.

Usage: python -m tests.support.tiny_server FOLDER
A client sends a line: "pid" is answered, "count" by how often it came on this node, "hang" blocks
the worker's loop, "die" kills it.
While there is a FOLDER/broken, workers die at their start.
FOLDER/settings holds "WORKERS MODE" and is read at SIGHUP; MODE "unfit" makes workers refuse.
Log lines (JSON) go to standard output.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.log import LineLog
from mailnode.runtime.maillog import Event
from mailnode.runtime.seat import UNFIT, Seat
from mailnode.runtime.settings.listen import ListenSettings
from mailnode.runtime.settings.log import LogSettings
from mailnode.runtime.sink import Sink, StreamTarget
from mailnode.runtime.sockets import Listeners, bind
from mailnode.runtime.supervisor import Generation, Supervisor
from mailnode.runtime.systemd import Notifier
from mailnode.runtime.tally import Tally

DRAIN_S, STUCK_S = 3.0, 1.0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> None:
    while line := await reader.readline():
        if line == b"count\n":
            writer.write(b"%d\n" % tally.enter("client"))
            continue
        if line == b"hang\n":
            time.sleep(60)
        if line == b"die\n":
            os._exit(3)
        writer.write(b"%d\n" % os.getpid())
    writer.close()


async def _worker(seat: Seat, listeners: Listeners) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    seat.line.watch(0.2, orphaned=stop.set, each=lambda: None)
    clients: set[asyncio.Task[None]] = set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        clients.add(task)
        await _answer(reader, writer, seat.tally)
        clients.discard(task)

    servers = []
    for sock in listeners.of_seat(seat.number)["smtp"]:
        sock.listen(64)
        servers.append(await asyncio.start_server(session, sock=sock))
    seat.line.ready()
    await stop.wait()
    for server in servers:
        server.close()
    seat.line.draining()
    if clients:
        await asyncio.wait(set(clients), timeout=DRAIN_S)
    seat.line.close()
    return 0


@dataclass
class Owner:
    """Reads the folder, keeps the sockets."""

    folder: Path
    listeners: Listeners
    log: LineLog
    fresh: Listeners | None = None
    text: str = ""

    def generation(self, listeners: Listeners) -> Generation:
        workers, mode = self.text.split()

        def start(seat: Seat) -> int:
            listeners.close_other(seat.number, self.listeners)
            if (self.folder / "broken").exists():
                os._exit(4)  # as when the code on the disk does not fit what runs
            return UNFIT if mode == "unfit" else asyncio.run(_worker(seat, listeners))

        return Generation(int(workers), DRAIN_S, STUCK_S, start, listeners.rest)

    def read(self) -> bool:
        before, self.text = self.text, (self.folder / "settings").read_text()
        return before != self.text

    def became_ready(self) -> None:
        spots = [str(spot) for spot in self.listeners.addresses()["smtp"]]
        self.log.event(Event.STARTED, spots=spots)

    def reload(self) -> Generation | None:
        if not self.read():
            self.log.event(Event.RELOADED, how="in place")
            return None
        workers = int(self.text.split()[0])
        self.fresh = bind(ListenSettings(smtp=("127.0.0.1:0",)), workers, kept=self.listeners)
        return self.generation(self.fresh)

    def swapped(self) -> None:
        assert self.fresh
        self.listeners.retire(self.fresh)
        self.listeners, self.fresh = self.fresh, None
        self.log.event(Event.RELOADED, how="swapped")

    def refused(self) -> None:
        assert self.fresh
        self.fresh.abandon(self.listeners)
        self.log.event(Event.SETTINGS, reason="refused")

    def stopping(self) -> None:
        self.listeners.close()
        self.log.event(Event.STOPPED)


def main() -> int:
    folder = Path(sys.argv[1])
    settings = LogSettings(format="json")
    log = LineLog(Sink(StreamTarget(1)), settings, node="tiny", clock=SystemClock())
    listeners = bind(ListenSettings(smtp=("127.0.0.1:0",)), 2)
    owner = Owner(folder, listeners, log)
    owner.read()
    return Supervisor(owner.generation(listeners), owner, notifier=Notifier(), log=log).run()


if __name__ == "__main__":
    sys.exit(main())
