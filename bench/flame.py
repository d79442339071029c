"""Where mailnode's CPU goes under a load, as a picture: python -m bench flame deliver|imap-mix

py-spy (pip install py-spy) looks at every worker a hundred times a second while the load runs.
Threads that wait for work are left out, those that wait for the disk are in. The SVG needs nothing
beside itself: each bar is a function, as wide as its share, on top of the one that called it; a
pointer on it tells the share and the source file.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import crowd
from bench.charts import svg
from bench.clock import say
from bench.options import OneLineParser
from bench.ours import ours
from bench.scenarios import deliver, imap_mix
from bench.scenarios.deliver import SPARE_USERS, Load
from bench.server import Server

_MESSAGES, _CLIENTS, _RATE = 2000, 20, 100
_WIDTH, _ROW, _TOP, _LEAST_PX = 1180, 17, 40, 0.6
# The event loop's own frames, and a thread's, are the same below everything.
_ROOTS = (
    ("BaseEventLoop._run_once (asyncio/base_events.py)", "event loop"),
    ("Thread.run (threading.py)", "thread"),
)
# On top of a stack: a thread that waits for work, which py-spy cannot always tell.
_WAITING = (
    "EpollSelector.select (selectors.py)",
    "Condition.wait (threading.py)",
    "Crew._serve (mailnode/runtime/crew.py)",
    "_connection_worker_thread (aiosqlite/core.py)",
)
_OURS = re.compile(r"\(mailnode/(\w+)")
_HUES = {
    "access": 200, "intake": 150, "store": 20, "runtime": 280, "directory": 320, "delivery": 90,
    "wire": 240, "routing": 110, "queue": 60, "policy": 40, "cluster": 340, "model": 260,
}  # fmt: skip


@dataclass(slots=True)
class Frame:
    """A function that was running so many times, with those that it called."""

    count: int = 0
    callees: dict[str, Frame] = field(default_factory=dict)

    def add(self, names: Iterable[str], count: int) -> None:
        """A stack, the caller first, that was seen so many times."""
        frame = self
        frame.count += count
        for name in names:
            frame = frame.callees.setdefault(name, Frame())
            frame.count += count

    def depth(self) -> int:
        """Of the highest stack on it."""
        return 1 + max((one.depth() for one in self.callees.values()), default=0)


def main(words: Sequence[str]) -> int:
    """The command; its exit status."""
    loads = {"deliver": (_MESSAGES + SPARE_USERS, _deliver), "imap-mix": (_CLIENTS + 1, _imap_mix)}
    parser = OneLineParser(prog="bench flame", description=__doc__)
    parser.add_argument("load", choices=loads)
    parser.add_argument("--out", type=Path, help="default: bench-results/flame-LOAD.svg")
    parser.add_argument("--seconds", type=float, default=20.0, help="2 to 600; default 20")
    options = parser.parse_args(words)
    if not 2 <= options.seconds <= 600:
        parser.error(f"--seconds {options.seconds:g} is not between 2 and 600")
    spy = _spy()
    if not spy:
        parser.error("py-spy is not here: pip install py-spy")
    users, load = loads[options.load]
    out: Path = options.out or Path("bench-results") / f"flame-{options.load}.svg"
    with ours(users) as server:
        root = watched(spy, server.pids()[1:], options.seconds, load(server))
    if not root.count:
        raise SystemExit("py-spy saw nothing run; may it trace processes here?")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(picture(root, f"mailnode, {options.load}"))
    say(f"written: {out}")
    return 0


def _spy() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy") or ""


def _deliver(server: Server) -> Callable[[float], None]:
    load = Load("flame", _MESSAGES)
    # Mailboxes are made once.
    deliver.send(server, load)

    def work(until: float) -> None:
        while time.monotonic() < until:
            deliver.send(server, load)

    return work


def _imap_mix(server: Server) -> Callable[[float], None]:
    for user in server.users[:_CLIENTS]:
        imap_mix.prepare(server, user, imap_mix.MESSAGES)

    def work(until: float) -> None:
        seconds = max(1.0, until - time.monotonic())
        done = crowd.run(_CLIENTS, seconds, lambda at: imap_mix.session(server, server.users[at]))
        if done.failures:
            raise SystemExit(done.failures[0])

    return work


def watched(spy: str, pids: Sequence[int], seconds: float, work: Callable[[float], None]) -> Frame:
    """All stacks of these processes while ``work`` runs until its argument, a monotonic time."""
    with tempfile.TemporaryDirectory(prefix="bench-flame-") as folder, ExitStack() as stack:
        watchers = []
        for pid in pids:
            command = [spy, "record", "-p", str(pid), "-d", f"{seconds:.0f}", "-r", str(_RATE)]
            command += ["-f", "raw", "--nolineno", "-o", f"{folder}/{pid}"]
            watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
            stack.callback(watcher.wait)
            stack.callback(watcher.kill)
            watchers.append(watcher)
        work(time.monotonic() + seconds)
        for watcher in watchers:
            watcher.wait(seconds + 60)
        return folded(file.read_text() for file in Path(folder).iterdir())


def folded(texts: Iterable[str]) -> Frame:
    """Stacks as py-spy's raw format has them: frames from the caller on, and a count."""
    root = Frame()
    for line in (line for text in texts for line in text.splitlines()):
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit() and not stack.endswith(_WAITING):
            root.add(_from_root(stack.split(";")), int(count))
    return root


def _from_root(frames: list[str]) -> list[str]:
    """Without what is below the loop or the thread, and without places of this machine."""
    for mark, name in _ROOTS:
        if mark in frames:
            frames = [name, *frames[len(frames) - frames[::-1].index(mark) :]]
            break
    return [re.sub(r"\(/.*/", "(", one) for one in frames]


def picture(root: Frame, title: str) -> str:
    """The SVG."""
    height = _TOP + _ROW * root.depth() + 10
    parts: list[str] = []
    _draw(parts, "all", root, 10.0, (_WIDTH - 20) / root.count, height - _ROW - 10, root.count)
    head = f"{title}: {root.count} samples of threads at work"
    words = f'<text x="10" y="22" style="font-size:15px">{html.escape(head)}</text>'
    return svg(_WIDTH, height, words + "".join(parts), title)


def _draw(
    parts: list[str], name: str, frame: Frame, left: float, px: float, top: int, whole: int
) -> None:
    width = frame.count * px
    if width < _LEAST_PX:
        return
    label = html.escape(f"{name}, {frame.count / whole:.1%}")
    shown = html.escape(name.partition(" (")[0][: max(0, int(width / 7))])
    words = f'<text x="{left + 2:.1f}" y="{top + 12}">{shown}</text>' if width > 24 else ""
    parts.append(
        f'<g><title>{label}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{_ROW - 1}" fill="{_colour(name)}"/>{words}</g>'
    )
    for other, callee in sorted(frame.callees.items()):
        _draw(parts, other, callee, left, px, top - _ROW, whole)
        left += callee.count * px


def _colour(name: str) -> str:
    """By room of mailnode; grey for what is not mailnode's."""
    room = _OURS.search(name)
    return f"hsl({_HUES.get(room[1], 0)} 60% 75%)" if room else "#d9d9d9"
