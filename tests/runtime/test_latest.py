"""The latest value of each key, from threads to the loop."""

from __future__ import annotations

import asyncio
import threading

from mailnode.runtime.latest import Latest


async def test_only_the_last_value_of_a_key_is_handed_on() -> None:
    got: list[tuple[str, int]] = []
    both = asyncio.Event()

    async def sink(key: str, value: int) -> None:
        got.append((key, value))
        if len(got) == 2:
            both.set()

    latest: Latest[str, int] = Latest(sink, pause_s=0.01, failed=lambda _: None)

    def put() -> None:
        for value in range(1000):
            latest.put("a", value)
        latest.put("b", 7)

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    thread.join()
    await asyncio.wait_for(both.wait(), 5)
    assert got == [("a", 999), ("b", 7)]
    got.clear()
    latest.put("a", 5)
    latest.put("c", 6)
    await asyncio.wait_for(_two(got), 5)
    assert got == [("a", 5), ("c", 6)]
    await latest.close()


async def _two(got: list[tuple[str, int]]) -> None:
    while len(got) < 2:
        await asyncio.sleep(0.001)


async def test_what_waits_is_handed_on_at_the_end_and_faults_are_told() -> None:
    got: list[str] = []
    faults: list[Exception] = []

    async def sink(key: str, value: int) -> None:
        if value < 0:
            raise ValueError(key)
        got.append(key)

    latest: Latest[str, int] = Latest(sink, pause_s=60, failed=faults.append)
    latest.put("bad", -1)
    latest.put("good", 1)
    await latest.close()
    assert got == ["good"]
    assert [str(fault) for fault in faults] == ["bad"]
