"""What the tests say to a guest: commands, over a virtio-serial port that no cut cable touches."""

from __future__ import annotations

import itertools
import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A command's own time is told to the guest; its answer may come so much later.
_GRACE_S = 30.0
# QEMU makes its sockets before anything else.
_LISTENS_S = 60.0


class GuestGone(Exception):
    """The guest does not answer, or is off."""


class CommandFailed(AssertionError):
    """A command ended with another status than 0."""


@dataclass(frozen=True)
class Done:
    """How a command ended; 124: not in its time."""

    status: int
    output: str


class Port:
    """A virtio-serial port's socket on the host, read line by line in a thread of its own."""

    def __init__(self, path: Path, take: Callable[[str], None]) -> None:
        self._path, self._take = path, take
        self._sock = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()

    def connect(self, alive: Callable[[], bool]) -> None:
        """Connect once QEMU listens. Raises ``GuestGone`` when it died, or does not."""
        deadline = time.monotonic() + _LISTENS_S
        while True:
            try:
                self._sock.connect(str(self._path))
                break
            except OSError:
                if not alive() or time.monotonic() > deadline:
                    raise GuestGone("QEMU ended, or does not listen") from None
                time.sleep(0.02)
        threading.Thread(target=self._read, name=self._path.name, daemon=True).start()

    def send(self, line: str) -> None:
        """One line."""
        with self._lock:
            self._sock.sendall(line.encode() + b"\n")

    def close(self) -> None:
        self._sock.close()

    def _read(self) -> None:
        with self._sock.makefile("rb") as lines:
            try:
                for line in lines:
                    self._take(line.decode())
            except OSError:
                return


class Console:
    """Commands to one guest; any number at once."""

    def __init__(self, name: str, path: Path, alive: Callable[[], bool]) -> None:
        self._name, self._alive = name, alive
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.Queue[Done]] = {}
        self.ready = threading.Event()
        self._port = Port(path, self._heard)

    def connect(self) -> None:
        self._port.connect(self._alive)

    def close(self) -> None:
        self._port.close()

    def start(self, command: str, timeout_s: float = 60.0) -> Callable[[], Done]:
        """Begin a command; the result waits for its end. Raises ``GuestGone``."""
        number = next(self._numbers)
        answer = self._waiting[number] = queue.Queue()
        request = {"id": number, "command": command, "timeout_s": timeout_s}
        try:
            self._port.send(json.dumps(request))
        except OSError as error:
            raise GuestGone(f"{self._name}: {error}") from None

        def end() -> Done:
            deadline = time.monotonic() + timeout_s + _GRACE_S
            while time.monotonic() < deadline and self._alive():
                try:
                    return answer.get(timeout=0.5)
                except queue.Empty:
                    continue
            state = "does not answer" if self._alive() else "is off"
            raise GuestGone(f"{self._name} {state}: {command}")

        return end

    def run(self, command: str, timeout_s: float = 60.0) -> Done:
        """A command from beginning to end."""
        return self.start(command, timeout_s)()

    def __call__(self, command: str, timeout_s: float = 60.0) -> str:
        """The output of a command that has to succeed."""
        done = self.run(command, timeout_s)
        if done.status:
            text = f"{self._name}: status {done.status} of {command}\n{done.output}"
            raise CommandFailed(text)
        return done.output

    def _heard(self, line: str) -> None:
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        if answer["id"] == 0:
            self.ready.set()
        elif answer["id"] in self._waiting:
            waiting = self._waiting.pop(answer["id"])
            waiting.put(Done(answer["status"], answer["output"]))
