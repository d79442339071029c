"""SORT, THREAD and their UID forms.

Promises: the pool works on them in bounded steps; a client that leaves ends its command.
RFC: 5256 3; 5957; 5267 3 (ESORT); 7162 3.1.5; draft-ietf-morg-inthread (REFS).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.searching import asks_modseq, find
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Reply, ok
from mailnode.access.imap.session import Session
from mailnode.access.imap.sort import sort_rows
from mailnode.access.imap.thread import format_threads, thread_rows
from mailnode.store import Picture
from mailnode.wire.imap.ast import Command, SearchKey, Sort, Thread
from mailnode.wire.imap.format import search_line

T = TypeVar("T")
# A step is some hundred messages.
STEPS_AT_ONCE = 10
THREADS_AT_ONCE = 500


async def do_sort(session: Session, command: Command, args: Sort) -> Reply:
    """RFC 5256 3 (SORT), 5267 3 with RETURN."""
    selected, returns = session.view(), args.returns
    picture, with_modseq = await _picture(session, command, args.key)
    found = await find(session, args.key, picture)
    steps = sort_rows(selected.folder, picture, found, args.criteria)
    results = Results(picture, await run_steps(session, steps), command.uid)
    if returns is None:
        modseq = results.highest_modseq(found) if with_modseq else 0
        line = search_line(results.numbers(), modseq or None, name=b"SORT")
        session.out.write(line + b"\r\n")
        return ok("done")
    if "SAVE" in returns.options:
        selected.saved = results.saved(returns)
    session.out.write(results.line(command.tag, returns, with_modseq))
    return ok("done")


async def do_thread(session: Session, command: Command, args: Thread) -> Reply:
    """RFC 5256 3 (THREAD)."""
    selected = session.view()
    picture, _ = await _picture(session, command, args.key)
    found = await find(session, args.key, picture)
    steps = thread_rows(selected.folder, picture, found, args.algorithm)
    threads = await run_steps(session, steps)
    session.out.write(b"* THREAD" + (b" " if threads else b""))
    results = Results(picture, found, command.uid)
    for at in range(0, len(threads), THREADS_AT_ONCE):
        some = threads[at : at + THREADS_AT_ONCE]
        session.out.write(b"".join(format_threads(some, results.number)))
    session.out.write(b"\r\n")
    return ok("done")


async def _picture(session: Session, command: Command, key: SearchKey) -> tuple[Picture, bool]:
    with_modseq = asks_modseq(key)
    if with_modseq:
        session.turn_condstore_on()
    return await session.current(look=with_modseq, expunge=command.uid), with_modseq


async def run_steps(session: Session, steps: Generator[None, None, T]) -> T:
    """Have the pool do all of it, a bounded piece at a time; its result."""

    def advance() -> list[T]:
        try:
            for _ in range(STEPS_AT_ONCE):
                next(steps)
        except StopIteration as stop:
            return [stop.value]
        return []

    while not (result := await session.means.pool.run(advance)):
        await session.out.drain()
    return result[0]


VERBS = {
    "SORT": Verb(do_sort, SELECTED, After.NUMBERS_STAY),
    "THREAD": Verb(do_thread, SELECTED, After.NUMBERS_STAY),
}
