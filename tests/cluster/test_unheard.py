"""Words that Heartbeat did not hear: when they are said once more, and when not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailnode.admin.cli import cluster_heartbeat
from mailnode.cluster.unheard import MESSAGE, LogTail, Repeater

STAMP = "Nov 26 09:50:54 n1 heartbeat: [382]: info: "
SAID = (
    "2026/11/26_09:53:53  mach_down(default)[1037]:    info: "
    "/usr/share/heartbeat/mach_down: nice_failback: foreign resources acquired"
)


@dataclass
class World:
    new: list[str] = field(default_factory=list)
    transition: bool = True
    takes: bool = True
    now: float = 1000.0
    told: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def repeater(self) -> Repeater:
        def tell(message: str) -> bool:
            self.told.append(message)
            return self.takes

        return Repeater(
            lines=lambda: iter([self.new.pop(0) for _ in list(self.new)]),
            in_transition=lambda: self.transition,
            tell=tell,
            say=self.said.append,
            wait_s=60,
            now=lambda: self.now,
        )


def test_what_was_not_heard_is_said_once_more_and_once_only() -> None:
    world = World([SAID])
    repeater = world.repeater()
    repeater.look()
    world.now += 59
    repeater.look()
    assert world.told == []
    for _ in range(3):
        world.now += 60
        repeater.look()
    assert world.told == [MESSAGE]
    assert world.said == [
        "Heartbeat did not hear that its takeover is complete; it was told once more"
    ]


@pytest.mark.parametrize(
    "then",
    [
        f"{STAMP}mach_down takeover complete.",
        # Of the past: another move began, or Heartbeat did.
        f"{STAMP}n2 wants to go standby [local]",
        f"{STAMP}Configuration validated. Starting heartbeat 3.0.6",
    ],
)
def test_what_was_heard_or_is_of_the_past_is_not_said_again(then: str) -> None:
    # The script's own last line is not Heartbeat's.
    world = World([SAID, "mach_down(default)[1]: info: mach_down takeover complete for node n1."])
    repeater = world.repeater()
    repeater.look()
    world.now += 30
    world.new.append(then)
    repeater.look()
    world.now += 100
    repeater.look()
    assert world.told == []


def test_a_heartbeat_at_rest_is_told_nothing() -> None:
    world = World([SAID], transition=False)
    repeater = world.repeater()
    repeater.look()
    world.now += 100
    repeater.look()
    world.transition = True
    world.now += 100
    repeater.look()
    assert world.told == world.said == []


def test_a_heartbeat_that_takes_nothing_is_told_of() -> None:
    world = World([SAID], takes=False)
    repeater = world.repeater()
    repeater.look()
    world.now += 100
    repeater.look()
    assert world.said == ["Heartbeat did not hear that its takeover is complete; it cannot be told"]


def test_a_log_is_followed_through_its_replacement(tmp_path: Path) -> None:
    log = tmp_path / "ha-log"
    tail = LogTail(log)
    assert list(tail()) == []
    log.write_text("one\ntwo\nhal")
    assert list(tail()) == ["one", "two"]
    with log.open("a") as file:
        file.write("f\nthree\n")
    assert list(tail()) == ["half", "three"]
    assert list(tail()) == []
    log.rename(tmp_path / "ha-log.1")
    log.write_text("four\n")
    assert list(tail()) == ["four"]
    log.write_text("")
    assert list(tail()) == []
    log.write_text("five\n")
    assert list(tail()) == ["five"]


def test_of_a_long_log_its_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "ha-log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    found = list(LogTail(log)())
    assert 1000 < len(found) < 50_000
    assert found[-1] == "line 99999"


def test_heartbeat_is_told_through_its_pipe_when_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "fifo"
    monkeypatch.setattr(cluster_heartbeat, "_PIPE", pipe)
    assert not cluster_heartbeat.tell(MESSAGE)  # no Heartbeat was ever here
    os.mkfifo(pipe)
    assert not cluster_heartbeat.tell(MESSAGE)  # none runs
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert cluster_heartbeat.tell(MESSAGE)
    assert os.read(reader, 4096).decode() == MESSAGE
    os.close(reader)
