"""What a client sent and nobody has read yet."""

from __future__ import annotations

import asyncio

from mailnode.intake.inlet import Inlet


class Carrier:
    """A transport that says what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


async def test_a_flood_while_tls_takes_over_stops_nothing_that_nobody_starts_again() -> None:
    inlet = Inlet(asyncio.get_running_loop())
    inlet.feed(b"x" * 200_000)
    carrier = inlet.transport = Carrier()
    inlet.feed(b"x")
    assert carrier.told == ["pause"]
    waiting = asyncio.ensure_future(inlet.beyond(200_001))
    await asyncio.sleep(0)
    inlet.feed(b"x")
    await waiting
    assert carrier.told == ["pause", "resume"]
