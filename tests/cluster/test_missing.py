"""Addresses that Heartbeat holds and has not raised: when they are asked for, and when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailnode.admin.cli.cluster_heartbeat import obstacle
from mailnode.cluster.missing import Fetcher, Group, Patience, read_groups

OURS = Group("N1", "mailnode::192.0.2.25/24/eth0", ("192.0.2.25", "2001:db8::25"), "eth0")
THEIRS = Group("n2", "mailnode::192.0.2.26/24/eth0", ("192.0.2.26",), "eth0")
AT_ONCE = Patience(nowhere_s=0, first_rest_s=0, rest_s=0)


@dataclass
class World:
    held: str = "local"
    raised: frozenset[str] = frozenset()
    obstacle: str = ""
    takes: bool = True
    now: float = 1000.0
    questions: int = 0
    requests: list[Group] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def fetcher(self, patience: Patience = AT_ONCE) -> Fetcher:
        def held() -> str:
            self.questions += 1
            return self.held

        def request(group: Group) -> bool:
            self.requests.append(group)
            return self.takes

        return Fetcher(
            me="n1",
            groups=(OURS, THEIRS),
            held=held,
            raised=lambda: self.raised,
            obstacle=lambda group: self.obstacle,
            request=request,
            say=self.said.append,
            patience=patience,
            now=lambda: self.now,
        )


@pytest.mark.parametrize(
    ("held", "raised", "asked"),
    [
        ("local", set(), [OURS]),
        ("foreign", set(), [THEIRS]),
        ("all", set(), [OURS, THEIRS]),
        ("all", {"192.0.2.26"}, [OURS]),
        # One of a group's addresses shows that its agent was started.
        ("local", {"2001:db8::25"}, []),
        ("none", set(), []),
        ("transition", set(), []),
        ("", set(), []),
    ],
)
def test_what_is_held_and_not_raised_is_asked_for(
    held: str, raised: set[str], asked: list[Group]
) -> None:
    world = World(held, frozenset(raised))
    world.fetcher().look()
    assert world.requests == asked
    assert len(world.said) == len(asked)


def test_who_misses_nothing_asks_nobody() -> None:
    world = World("all", frozenset({"192.0.2.25", "192.0.2.26"}))
    world.fetcher().look()
    assert world.questions == 0


def test_it_is_asked_for_only_after_a_while_at_rest() -> None:
    world = World()
    fetcher = world.fetcher(Patience(nowhere_s=30))
    # A move begins and ends: it may be what raises the address.
    for world.now, world.held in ((0, "local"), (20, "transition"), (25, "local"), (54, "local")):
        fetcher.look()
    assert world.requests == []
    world.now = 55
    fetcher.look()
    assert world.requests == [OURS]
    assert world.said == [
        "192.0.2.25 2001:db8::25: held here as Heartbeat says, and not raised; "
        "Heartbeat was asked to raise it"
    ]


def test_what_another_machine_answers_for_is_left_alone() -> None:
    world = World(obstacle="another machine answers for 192.0.2.25")
    world.fetcher().look()
    assert world.requests == []
    assert world.said[0].endswith("not raised; another machine answers for 192.0.2.25")


def test_a_request_of_which_nothing_comes_is_repeated_ever_more_rarely() -> None:
    world = World(takes=False)
    fetcher = world.fetcher(Patience(nowhere_s=0, first_rest_s=10, rest_s=25))
    at = []
    for second in range(100):
        world.now = float(second)
        fetcher.look()
        at += [second] * (len(world.requests) - len(at))
    assert at == [0, 10, 30, 55, 80]
    assert world.said[0].endswith("Heartbeat takes no request")


def test_one_that_came_and_goes_again_is_asked_for_as_at_first() -> None:
    world = World()
    fetcher = world.fetcher(Patience(nowhere_s=30))
    for world.now in (0, 30, 60, 120):
        fetcher.look()
    assert len(world.requests) == 3
    world.raised = frozenset({"192.0.2.25"})
    fetcher.look()
    world.raised = frozenset()
    for world.now in (130, 159, 160, 190):
        fetcher.look()
    assert len(world.requests) == 5


@pytest.mark.parametrize(
    ("group", "arping", "told"),
    [
        (OURS, "exit 0", ""),
        (OURS, "exit 1", "another machine answers for 192.0.2.25, or it cannot be asked for"),
        (OURS, "", "nothing tells whether another machine has it: "),
        (Group("n1", "mailnode::192.0.2.25", ("192.0.2.25",)), "exit 0", "haresources tells no "),
        (Group("n1", "mailnode::x", ("2001:db8::25",), "eth0"), "exit 0", "haresources tells no "),
    ],
)
def test_only_what_nobody_answers_for_may_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: Group, arping: str, told: str
) -> None:
    asked = tmp_path / "asked"
    if arping:
        (tmp_path / "arping").write_text(f'#!/bin/sh\necho "$*" >> {asked}\n{arping}\n')
        (tmp_path / "arping").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert obstacle(group).startswith(told) if told else obstacle(group) == ""
    if asked.exists():
        assert asked.read_text() == "-q -D -c 2 -w 2 -I eth0 192.0.2.25\n"


def test_haresources_is_read_as_heartbeat_does(tmp_path: Path) -> None:
    file = tmp_path / "haresources"
    file.write_text(
        "# both\n"
        "n1 drbddisk::r0 \\\n  mailnode::192.0.2.25/24/eth0::2001:db8:0:0:0:0:0:25/64 # one\n"
        "n2 mailnode::192.0.2.26\n"
        "\n"
        "n2 IPaddr2::192.0.2.30/24/eth0\n"
        "n2 mailnode::no-address\n"
        "n2\n"
    )
    assert read_groups(file) == (
        Group("n1", "drbddisk::r0", ("192.0.2.25", "2001:db8::25"), "eth0"),
        Group("n2", "mailnode::192.0.2.26", ("192.0.2.26",), ""),
    )


def test_the_shipped_list_is_read() -> None:
    shipped = Path(__file__).parents[2] / "config/heartbeat/haresources"
    assert [(one.node, one.addresses, one.nic) for one in read_groups(shipped)] == [
        ("n1", ("192.0.2.25", "2001:db8::25"), "eth0"),
        ("n2", ("192.0.2.26", "2001:db8::26"), "eth0"),
    ]
