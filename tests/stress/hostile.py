"""What hostile clients cost and others notice of them: python -m tests.stress.hostile [NAME ...]

One worker, a mailbox with many messages (some of them made to be hard to read). While each attack
runs, another user selects, fetches and stores on the same worker and takes the time. Printed of
each: seconds it lasted, MiB that the worker took at most beyond what it had, and the slowest and
the middle answer to the other user in milliseconds.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.stress.client import Client, Place
from tests.stress.facts import Facts
from tests.stress.mirror import Mirror
from tests.support.peopled_server import PASSWORD, PeopledServer, peopled, rss_kib, until

SMALL, LARGE_BYTES = 2000, 2_000_000
DEEP = 5000
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cost:
    """Of one attack; times of the other user in milliseconds."""

    name: str
    seconds: float
    memory_mib: float
    slowest_ms: float
    middle_ms: float
    answers: int


class Attacker:
    """A connection that need not read."""

    def __init__(self, server: PeopledServer, folder: str = "INBOX") -> None:
        self.sock = server.connect("imap")
        self.sock.settimeout(PATIENCE_S)
        self.sock.recv(4000)
        login = f'a LOGIN "{server.users[0]}" "{PASSWORD}"\r\nb SELECT {folder}\r\n'
        self.sock.sendall(login.encode())
        self.until(b"\r\nb OK")

    def until(self, mark: bytes) -> bytes:
        """All that comes up to a mark, of which only the end is kept, or up to the end."""
        tail = b"\r\n"
        with contextlib.suppress(ConnectionError):
            while mark not in tail:
                data = self.sock.recv(262144)
                if not data:
                    break
                tail = (tail + data)[-300_000:]
        return tail

    def say(self, data: bytes, mark: bytes = b"\r\nz ") -> bytes:
        """Send beside a thread that reads, for neither side may wait for the other."""
        sender = threading.Thread(target=self._send, args=(data,), daemon=True)
        sender.start()
        answer = self.until(mark)
        sender.join()
        return answer

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def shove(self, data: bytes, seconds: float = 1.0) -> None:
        """Send as much as is taken, read nothing."""
        self.sock.settimeout(seconds)
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()


Attack = Callable[[PeopledServer], None]


def _crowd(server: PeopledServer, count: int, data: bytes, hold_s: float) -> None:
    """So many who ask and take no answer."""
    with contextlib.ExitStack() as stack:
        attackers = [stack.enter_context(Attacker(server)) for _ in range(count)]
        for one in attackers:
            one.shove(data, 0.3)
        time.sleep(hold_s)


def stops_reading(server: PeopledServer) -> None:
    _crowd(server, 20, b"z FETCH 1:* (FLAGS BODY.PEEK[])\r\n" * 50, 5.0)


def literal_never_comes(server: PeopledServer) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(Attacker(server))
            one.shove(b"z APPEND INBOX {90000000+}\r\n" + b"x" * 3_000_000, 2.0)
            other = stack.enter_context(Attacker(server))
            other.shove(b"z SEARCH TEXT {1000000+}\r\n" + b"x" * 900_000, 2.0)
        time.sleep(3.0)


def million_uids(server: PeopledServer) -> None:
    with Attacker(server) as one:
        every = b",".join(b"%d" % uid for uid in range(1, 2_000_001, 2))
        one.say(b"z UID FETCH " + every + b" FLAGS\r\n")
    with Attacker(server) as one:
        some = b",".join(b"%d" % uid for uid in range(1, 20_000, 2))[:65000].rpartition(b",")[0]
        wide = b"1:4294967295," * 4900 + b"1:*"
        lines = b"y UID FETCH " + some + b" FLAGS\r\ny UID SEARCH UID " + some + b"\r\n"
        lines += b"y UID FETCH " + wide + b" FLAGS\r\ny UID SEARCH NOT UID " + wide + b"\r\n"
        lines += b"y UID SEARCH OR UID " + wide[:30_000] + b"1 " + wide[:30_000] + b"1\r\n"
        one.say(lines * 3 + b"z NOOP\r\n")


def nested_nots(server: PeopledServer) -> None:
    with Attacker(server) as one:
        lines = b"y SEARCH " + b"NOT " * 15_000 + b"ALL\r\n"
        lines += b"y SEARCH " + b"NOT " * 99 + b"TEXT alpha\r\n"
        lines += b"y SEARCH " + b"NOT (OR BODY xyz " * 45 + b"ALL" + b")" * 45 + b"\r\n"
        lines += b"y SEARCH " + b"NOT BODY qq " * 4900 + b"\r\n"
        lines += b"y SEARCH " + b"OR ALL " * 4900 + b"ALL\r\n"
        one.say(lines + b"z NOOP\r\n")


def thousand_commands(server: PeopledServer) -> None:
    with Attacker(server) as one:
        one.say(b"y FETCH 1:* (FLAGS UID INTERNALDATE)\r\n" * 500 + b"z NOOP\r\n")
        one.say(b"y SEARCH TEXT zebra\r\n" * 500 + b"z NOOP\r\n")


def list_patterns(server: PeopledServer) -> None:
    with Attacker(server) as one:
        lines = b"".join(b"y CREATE a%d/%s\r\n" % (at, b"a" * 60) for at in range(100))
        one.say(lines + b"z NOOP\r\n")
        many = b" ".join(b"p%d*" % at for at in range(10_000))
        lines = b'y LIST "" (' + many + b")\r\n"
        lines += b'y LIST "" (' + b" ".join(b"p%d*%%" % at for at in range(1900)) + b")\r\n"
        lines += b'y LIST "" "' + b"*a" * 200 + b'*b"\r\ny LIST "" "' + b"%a*" * 200 + b'b"\r\n'
        lines += b'y LIST "" (' + b" ".join([b"*a" * 15 + b"b"] * 1900) + b")\r\n"
        one.say(lines * 3 + b"z NOOP\r\n")


def hard_messages(server: PeopledServer) -> None:
    with Attacker(server, "Hard") as one:
        items = b"(BODYSTRUCTURE ENVELOPE PREVIEW BINARY.SIZE[1] BODY.PEEK[1.1.1.1.MIME])"
        lines = b"y FETCH 1:* " + items + b"\r\ny SEARCH TEXT alpha BODY beta\r\n"
        lines += b"y SORT (SUBJECT FROM CC DATE) UTF-8 ALL\r\ny THREAD REFERENCES UTF-8 ALL\r\n"
        lines += b"y THREAD REFS UTF-8 ALL\r\ny FETCH 1:* BODY.PEEK[HEADER.FIELDS (TO SUBJECT)]\r\n"
        one.say(lines * 3 + b"z NOOP\r\n")


def long_line(server: PeopledServer) -> None:
    with Attacker(server) as one:
        one.say(b"y NOOP " + b"x" * 10_000_000 + b"\r\nz NOOP\r\n")
    with Attacker(server) as one:
        one.say(b'y SEARCH TEXT "' + b"(" * 10_000_000 + b"\r\nz NOOP\r\n")


def compressed_bombs(server: PeopledServer) -> None:
    for said in (b" " * 100_000_000, b"y NOOP\r\n" * 2_000_000):
        with Attacker(server) as one:
            one.say(b"c COMPRESS DEFLATE\r\n", b"c OK")
            packer = zlib.compressobj(9, wbits=-15)
            bomb = packer.compress(said) + packer.flush(zlib.Z_SYNC_FLUSH)
            one.shove(bomb * 3, 5.0)
            time.sleep(3.0)


def many_keywords(server: PeopledServer) -> None:
    with Attacker(server, "Many") as one:
        for turn in range(10):
            words = b" ".join(b"key%d-%d" % (turn, at) for at in range(1500))
            one.say(b"y STORE 1:* +FLAGS.SILENT (" + words + b")\r\nz NOOP\r\n")
        one.say(b"y FETCH 1:* FLAGS\r\nz NOOP\r\n")


ATTACKS: dict[str, Attack] = {
    "nothing": lambda server: time.sleep(4),
    "stops-reading": stops_reading,
    "literal-never-comes": literal_never_comes,
    "million-uids": million_uids,
    "nested-nots": nested_nots,
    "thousand-commands": thousand_commands,
    "list-patterns": list_patterns,
    "hard-messages": hard_messages,
    "long-line": long_line,
    "compressed-bombs": compressed_bombs,
    "many-keywords": many_keywords,
}


def hard() -> Iterator[bytes]:
    """Messages that are hard to read."""
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (at, at)
        for at in range(DEEP)
    )
    yield deep + b"\r\nalpha"
    yield b"Content-Type: message/rfc822\r\n\r\n" * DEEP + b"alpha"
    parts = b"--b\r\nContent-Type: text/plain\r\n\r\nalpha\r\n" * 50_000
    yield b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts
    yield b"".join(b"X-%d: %s\r\n" % (at, b"y" * 60) for at in range(30_000)) + b"\r\nbeta"
    yield b"To: " + b", ".join(b'"x" <a%d@b.test>' % at for at in range(50_000)) + b"\r\n\r\nx"
    yield b"To: " + b"(" * LARGE_BYTES + b"\r\nSubject: " + b"Re: [" * 200_000 + b"\r\n\r\nx"
    yield b"Subject: " + b"=?utf-8?q?=C3=B6?= " * 100_000 + b"\r\n\r\nx"
    yield b"References: " + b" ".join(b"<%d@x>" % at for at in range(100_000)) + b"\r\n\r\nx"
    yield b"Content-Type: text/plain" + b"; x*%d=y" * 100_000 + b"\r\n\r\nx"
    yield b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\xff=A" * (LARGE_BYTES // 3)
    yield b"Content-Type: text/html\r\n\r\n" + b"<p <a" * (LARGE_BYTES // 5)
    yield b'Content-Type: multipart/mixed; boundary="-"\r\n\r\n' + b"---" * (LARGE_BYTES // 3)


def furnish(server: PeopledServer) -> None:
    """The mailboxes of the first user."""
    with Attacker(server) as one:
        one.say(b"y CREATE Hard\r\nz CREATE Many\r\n")
        small = b"Subject: alpha\r\n\r\n" + b"beta gamma\r\n" * 700
        batch = b"".join(b" {%d+}\r\n%b" % (len(small), small) for _ in range(200))
        for _ in range(SMALL // 200):
            one.say(b"z APPEND INBOX" + batch + b"\r\n")
        one.say(b"z APPEND Many" + batch + b"\r\n")
        for raw in hard():
            one.say(b"z APPEND Hard {%d+}\r\n%b\r\n" % (len(raw), raw))


def bystand(server: PeopledServer, end: threading.Event, times: list[float]) -> None:
    """Another user's work; the seconds that each command took."""
    place = Place("127.0.0.1", server.ports["imap"], server.users[1], PASSWORD)
    client = Client("by", [place], Facts(), 1)
    client.connect(())
    client.enter(Mirror(client.facts, False, False), "INBOX", False)
    client.ask("SELECT", "SELECT INBOX")
    while not end.wait(0.02):
        for text in ("NOOP", "FETCH 1 (FLAGS BODY.PEEK[HEADER])", "STORE 1 +FLAGS (\\Seen)"):
            began = time.monotonic()
            client.ask(text.split(" ")[0], text)
            times.append(time.monotonic() - began)
    client.close()


def measure(server: PeopledServer, name: str) -> Cost:
    """One attack, watched."""
    (pid,) = server.workers()
    end, times, peak = threading.Event(), list[float](), [0]
    other = threading.Thread(target=bystand, args=(server, end, times), daemon=True)
    before, began = rss_kib(pid), time.monotonic()

    def watch() -> None:
        while not end.wait(0.02):
            peak[0] = max(peak[0], rss_kib(pid) - before)

    watcher = threading.Thread(target=watch, daemon=True)
    for thread in (other, watcher):
        thread.start()
    try:
        until(lambda: times)
        times.clear()
        ATTACKS[name](server)
        until(lambda: times)  # also where it was over at once
    finally:
        end.set()
        for thread in (other, watcher):
            thread.join()
    seconds = time.monotonic() - began
    assert server.workers() == [pid], "the worker died"
    slowest, middle = max(times) * 1000, statistics.median(times) * 1000
    return Cost(name, seconds, peak[0] / 1024, slowest, middle, len(times))


@contextlib.contextmanager
def battlefield(folder: Path) -> Iterator[PeopledServer]:
    """The server, furnished."""
    with peopled(folder, server={"workers": 1}) as server:
        server.send("for the other", 1)
        furnish(server)
        yield server
        assert server.faults() == []


def main(names: list[str]) -> int:
    """See above."""
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        print(f"no attack {unknown[0]}; there are {', '.join(ATTACKS)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, battlefield(Path(folder)) as server:
        print(f"{'attack':21}{'s':>7}{'MiB':>7}{'slowest ms':>12}{'middle ms':>11}", flush=True)
        for name in names or ATTACKS:
            one = measure(server, name)
            times = f"{one.slowest_ms:12.0f}{one.middle_ms:11.1f}"
            print(f"{name:21}{one.seconds:7.1f}{one.memory_mib:7.1f}{times}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
