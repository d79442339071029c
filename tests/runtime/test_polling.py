"""A selector that is asked half as often while there is work."""

from __future__ import annotations

import asyncio
import socket

from mailnode.runtime.polling import SparingSelector


def test_after_a_look_that_found_something_one_is_left_out() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, SparingSelector() as selector:
        selector.register(ours, 1)
        theirs.send(b"x")
        found = [bool(selector.select(0)) for _ in range(4)]
        assert found == [True, False, True, False]


def test_after_a_look_that_found_nothing_none_is_left_out() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, SparingSelector() as selector:
        selector.register(ours, 1)
        assert not selector.select(0)
        theirs.send(b"x")
        assert selector.select(0)


def test_who_may_wait_looks_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, SparingSelector() as selector:
        selector.register(ours, 1)
        theirs.send(b"x")
        assert selector.select(None)
        assert selector.select(None)
        assert selector.select(60)


def test_a_loop_that_is_never_idle_still_hears_of_what_comes() -> None:
    async def heard_among_callbacks() -> int:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            turns = 0
            receiving = loop.create_task(loop.sock_recv(ours, 10))
            for _ in range(3):
                await asyncio.sleep(0)
            theirs.send(b"x")
            while not receiving.done() and turns < 100:
                turns += 1
                await asyncio.sleep(0)
            assert await receiving == b"x"
            return turns

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(SparingSelector())) as own:
        assert own.run(heard_among_callbacks()) <= 5
