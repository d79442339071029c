"""Orders to Heartbeat, given until they are carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mailnode.cluster.handover import Part, hand_over


@dataclass
class Heartbeat:
    """A stand-in: ``says`` one after another, the last for ever; an order may change that."""

    says: list[str]
    after: Callable[[Heartbeat], None] = lambda self: None
    takes: bool = True
    orders: list[Part] = field(default_factory=list)

    def ask(self) -> str:
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    def order(self, part: Part) -> bool:
        self.orders.append(part)
        self.after(self)
        return self.takes

    def hand_over(self, part: Part, within_s: float = 20.0) -> bool:
        return hand_over(
            part, ask=self.ask, order=self.order, within_s=within_s, stop=threading.Event()
        )


def then(*says: str) -> Callable[[Heartbeat], None]:
    def change(heartbeat: Heartbeat) -> None:
        heartbeat.says = list(says)

    return change


def test_it_waits_for_the_move_under_way_and_for_its_own() -> None:
    heartbeat = Heartbeat(["transition", "transition", "local"], then("transition", "none"))
    assert heartbeat.hand_over(Part.ALL)
    assert heartbeat.orders == [Part.ALL]


def test_an_order_of_which_nothing_came_is_given_again() -> None:
    def second_time(heartbeat: Heartbeat) -> None:
        if len(heartbeat.orders) == 2:
            heartbeat.says = ["transition", "none"]

    heartbeat = Heartbeat(["all"], second_time)
    assert heartbeat.hand_over(Part.ALL)
    assert heartbeat.orders == [Part.ALL, Part.ALL]


@pytest.mark.parametrize(
    ("part", "held", "left"),
    [
        (Part.LOCAL, "all", "foreign"),
        (Part.LOCAL, "local", "none"),
        (Part.FOREIGN, "all", "local"),
        (Part.FOREIGN, "foreign", "none"),
        (Part.ALL, "foreign", "none"),
    ],
)
def test_each_part_goes_and_the_rest_stays(part: Part, held: str, left: str) -> None:
    heartbeat = Heartbeat([held], then("transition", left))
    assert heartbeat.hand_over(part)
    assert heartbeat.orders == [part]


@pytest.mark.parametrize(
    ("part", "held"), [(Part.ALL, "none"), (Part.FOREIGN, "local"), (Part.LOCAL, "foreign")]
)
def test_what_is_not_here_needs_no_order(part: Part, held: str) -> None:
    heartbeat = Heartbeat([held])
    assert heartbeat.hand_over(part)
    assert heartbeat.orders == []


def test_it_ends_when_its_time_is_over() -> None:
    assert not Heartbeat(["transition"]).hand_over(Part.ALL, 0.1)
    assert not Heartbeat([""]).hand_over(Part.ALL, 0.1)
    assert not Heartbeat(["local"]).hand_over(Part.ALL, 0.1)


def test_an_order_that_cannot_be_given_ends_it() -> None:
    heartbeat = Heartbeat(["local"], takes=False)
    assert not heartbeat.hand_over(Part.ALL)
    assert heartbeat.orders == [Part.ALL]
