"""A program at a terminal of its own: keys go in, what it drew comes out as text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

ROWS, COLUMNS = 40, 120
WITHIN_S = 60
_ESCAPES = re.compile(
    rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b\][^\\\x07]*(?:\\|\x07)|\x1b[=>]"
)
# A terminal says what it is when asked (DA1); some programs wait for that.
_ASKED, _ANSWER = b"\x1b[c", b"\x1b[?62;c"


class Terminal(AbstractContextManager["Terminal"]):
    """Started at once; ended by its pid."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],  # So that /dev/tty is this one.
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=dict(environment),
        )
        os.close(inner)
        self._drawn = b""

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._fd)

    def type(self, keys: str) -> None:
        """Press keys. What was drawn before is forgotten."""
        self._drawn = b""
        os.write(self._fd, keys.encode())

    def until(self, text: str) -> None:
        """Wait until it draws this text."""
        end = time.monotonic() + WITHIN_S
        while text.encode() not in _ESCAPES.sub(b"", self._drawn):
            assert time.monotonic() < end, f"no {text!r} in {self._drawn[-3000:]!r}"
            self._read()

    def ended(self) -> int:
        """Wait for its end; its exit status."""
        end = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < end, f"runs on: {self._drawn[-3000:]!r}"
            self._read()
        return self.process.returncode

    def _read(self) -> None:
        if not select.select([self._fd], [], [], 0.2)[0]:
            return
        try:
            drawn = os.read(self._fd, 65536)
        except OSError:  # EIO: the other side is closed.
            return
        if _ASKED in drawn:
            os.write(self._fd, _ANSWER)
        self._drawn += drawn
