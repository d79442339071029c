"""Hints between the sessions and workers of a node: told at once, never waited for."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from mailnode.cluster import notify
from mailnode.cluster.hint import MAGIC, encode
from mailnode.cluster.notify import LocalHints
from mailnode.runtime.clock import SystemClock

Make = Callable[..., LocalHints]
LONG_S = 600.0


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[LocalHints] = []

    def make(poll_s: float = LONG_S) -> LocalHints:
        made.append(LocalHints(folder=tmp_path / "hints", clock=SystemClock(), poll_s=poll_s))
        return made[-1]

    yield make
    for hints in made:
        hints.close()


class Ear:
    """Collects what is heard; waits for so many."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self._event = asyncio.Event()

    def __call__(self, modseq: int) -> None:
        self.heard.append(modseq)
        self._event.set()

    def until(self, count: int) -> Awaitable[None]:
        async def wait() -> None:
            while len(self.heard) < count:
                self._event.clear()
                await self._event.wait()

        return asyncio.wait_for(wait(), 5)


async def test_subscribers_here_and_in_other_workers_hear(make: Make) -> None:
    one, two, three = make(), make(), make()
    ears = [Ear() for _ in range(4)]
    for hints, ear in zip((one, one, two, three), ears, strict=True):
        hints.subscribe("a\0.Sent", ear)
    other = Ear()
    two.subscribe("b\0", other)
    one.publish("a\0.Sent", 7)
    for ear in ears:
        await ear.until(1)
    three.publish("a\0.Sent", 8)
    for ear in ears:
        await ear.until(2)
        assert ear.heard == [7, 8]
    assert other.heard == []


async def test_publishing_from_threads_is_heard_and_coalesced(make: Make) -> None:
    here, there = make(), make()
    near, far = Ear(), Ear()
    here.subscribe("k", near)
    there.subscribe("k", far)

    def publish() -> None:
        for modseq in range(1, 501):
            here.publish("k", modseq)

    # The loop is busy meanwhile: what piles up becomes one hint.
    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    thread.join()
    await near.until(1)
    await far.until(1)
    assert near.heard == far.heard == [500]


async def test_late_older_modseq_does_not_hide_a_newer_one(make: Make) -> None:
    hints, ear = make(), Ear()
    hints.subscribe("k", ear)
    hints.publish("k", 9)
    hints.publish("k", 3)
    await ear.until(1)
    assert ear.heard == [9]


async def test_ended_subscription_hears_nothing(make: Make) -> None:
    hints, ended, ear = make(), Ear(), Ear()
    end = hints.subscribe("k", ended)
    hints.subscribe("k", ear)
    end()
    end()
    hints.publish("k", 1)
    await ear.until(1)
    assert ended.heard == []


async def test_each_subscriber_is_reminded_once_a_period(make: Make) -> None:
    hints = make(poll_s=0.2)
    ears = [Ear() for _ in range(200)]
    for number, ear in enumerate(ears):
        hints.subscribe(f"k{number}", ear)
    for ear in ears:
        await ear.until(1)
    assert {modseq for ear in ears for modseq in ear.heard} == {0}
    assert max(len(ear.heard) for ear in ears) <= 2


async def test_no_timer_runs_while_nobody_listens(make: Make) -> None:
    hints, ear = make(poll_s=0.05), Ear()
    end = hints.subscribe("k", ear)
    await ear.until(1)
    end()
    again = Ear()
    hints.subscribe("k", again)
    await again.until(2)


async def test_subscriber_that_raises_does_not_silence_others(make: Make) -> None:
    hints, ear, faults = make(), Ear(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    def broken(modseq: int) -> None:
        raise ValueError

    hints.subscribe("k", broken)
    hints.subscribe("k", ear)
    hints.publish("k", 1)
    await ear.until(1)
    assert len(faults) == 1


async def test_too_much_to_tell_becomes_a_reminder_for_all(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_WAITING_MAX_KEYS", 3)
    hints, ear = make(), Ear()
    hints.subscribe("k9", ear)
    for number in range(10):
        hints.publish(f"k{number}", 5)
    await ear.until(1)
    assert ear.heard == [0]


async def test_killed_peer_is_forgotten_and_its_socket_file_removed(
    make: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "hints"
    folder.mkdir()
    stale = folder / "1-dead.hint"
    command = [sys.executable, "-c", "import socket, sys; socket.socket(1, 2).bind(sys.argv[1])"]
    subprocess.run([*command, str(stale)], check=True)
    assert stale.is_socket()
    hints, ear = make(), Ear()
    assert not stale.exists()
    hints.subscribe("k", ear)
    hints.publish("k", 1)
    await ear.until(1)


async def test_peer_that_does_not_read_holds_up_nobody(make: Make, tmp_path: Path) -> None:
    hints, ear = make(), Ear()
    hints.subscribe("last", ear)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "hints" / "2-deaf.hint"))
        deaf.sendto(MAGIC, str(next((tmp_path / "hints").glob(f"{os.getpid()}-*"))))
        for number in range(2000):
            hints.publish(f"{number}", 1)
            await asyncio.sleep(0)
        hints.publish("last", 1)
        await ear.until(1)


async def test_strange_datagrams_are_ignored(make: Make, tmp_path: Path) -> None:
    hints, ear = make(), Ear()
    hints.subscribe("k", ear)
    address = str(next((tmp_path / "hints").iterdir()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for junk in (b"", b"MNH9xxxx", b"\xff" * 9000, MAGIC + b"\0"):
            stranger.sendto(junk, address)
    hints.publish("k", 1)
    await ear.until(1)
    assert ear.heard == [1]


async def test_long_folder_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120) / "hints"
    one = LocalHints(folder=folder, clock=SystemClock(), poll_s=LONG_S)
    two = LocalHints(folder=folder, clock=SystemClock(), poll_s=LONG_S)
    ear = Ear()
    two.subscribe("k", ear)
    one.publish("k", 4)
    await ear.until(1)
    one.close()
    two.close()
    assert list(folder.iterdir()) == []


async def test_publishing_after_the_end_is_ignored(tmp_path: Path) -> None:
    hints = LocalHints(folder=tmp_path, clock=SystemClock(), poll_s=1)
    ear = Ear()
    hints.subscribe("k", ear)
    hints.publish("k", 1)
    hints.close()
    hints.publish("k", 2)
    await asyncio.sleep(0)
    assert ear.heard == []


async def test_after_a_quiet_moment_at_once_then_many_together(make: Make) -> None:
    one, two = make(), make()
    here, there = Ear(), Ear()
    sent = 0

    def count(datagram: bytes) -> None:
        nonlocal sent
        sent += 1
        send(datagram)

    send = one._near.send
    one._near.send = count  # type: ignore[method-assign]
    one.subscribe("a\0", here)
    two.subscribe("z\0", there)
    one.publish("a\0", 1)
    await here.until(1)
    for modseq in range(2, 100):
        await asyncio.to_thread(one.publish, "a\0", modseq)
    one.publish("z\0", 5)
    await there.until(1)
    assert sent < 50  # one hundred were published
    while here.heard[-1] != 99:
        await here.until(len(here.heard) + 1)


async def test_what_others_send_while_it_is_being_made_is_heard_already(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Early(notify.UnixPeers):
        def send(self, datagrams: Iterable[bytes]) -> None:
            self._received(next(iter(encode({"folder": 7}))))
            super().send(datagrams)

    monkeypatch.setattr(notify, "UnixPeers", Early)
    ear = Ear()
    hints = make()
    hints.subscribe("folder", ear)
    hints.publish("folder", 8)
    await ear.until(1)
