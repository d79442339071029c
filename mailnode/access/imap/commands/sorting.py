"""SORT, THREAD and their UID forms.

Promises: the pool works on them in bounded steps; a client that leaves ends its command.
RFC: 5256 3; 5957; 5267 3 (ESORT); 7162 3.1.5; draft-ietf-morg-inthread (REFS).
"""

from __future__ import annotations

from mailnode.access.imap.commands.contexts import check_tag, keep_up
from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.searching import (
    asks_modseq,
    check_relevancy,
    find,
    speaks_of_uids,
)
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Reply, ok
from mailnode.access.imap.session import Session
from mailnode.access.imap.sort import sort_rows
from mailnode.access.imap.thread import format_written, threaded_rows
from mailnode.store import Picture
from mailnode.wire.imap.ast import Command, SearchKey, Sort, Thread
from mailnode.wire.imap.format import search_line

WRITTEN_AT_ONCE = 2000


async def do_sort(session: Session, command: Command, args: Sort) -> Reply:
    """RFC 5256 3 (SORT), 5267 3 with RETURN."""
    selected, returns = session.view(), args.returns
    check_relevancy(args.key, returns)
    check_tag(session, command.tag, returns)
    picture, with_modseq = await _picture(session, command, args.key)
    found = await find(session, args.key, picture)
    asked = picture, found.rows, args.criteria, found.scores
    steps = sort_rows(selected.folder, *asked, session.means.orders)
    results = Results(picture, await session.work(steps), command.uid, found.scores)
    if returns is None:
        modseq = results.highest_modseq(found.rows) if with_modseq else 0
        line = search_line(results.numbers(), modseq or None, name=b"SORT")
        session.out.write(line + b"\r\n")
        return ok("done")
    if "SAVE" in returns.options:
        selected.saved = results.saved(returns)
    session.out.write(results.line(command.tag, returns, with_modseq))
    if "UPDATE" in returns.options:
        keep_up(session, command.tag, args, results)
    return ok("done")


async def do_thread(session: Session, command: Command, args: Thread) -> Reply:
    """RFC 5256 3 (THREAD)."""
    selected = session.view()
    picture, _ = await _picture(session, command, args.key)
    found = await find(session, args.key, picture)
    asked = picture, found.rows, args.algorithm
    written = await session.work(threaded_rows(selected.folder, *asked, session.means.orders))
    session.out.write(b"* THREAD" + (b" " if written else b""))
    results = Results(picture, found.rows, command.uid)
    for at in range(0, len(written), WRITTEN_AT_ONCE):
        some = written[at : at + WRITTEN_AT_ONCE]
        session.out.write(format_written(some, results.number))
    session.out.write(b"\r\n")
    return ok("done")


async def _picture(session: Session, command: Command, key: SearchKey) -> tuple[Picture, bool]:
    with_modseq = asks_modseq(key)
    if with_modseq:
        session.turn_condstore_on()
    by_uid = speaks_of_uids(command, key)
    return await session.current(look=with_modseq, expunge=by_uid), with_modseq


VERBS = {
    "SORT": Verb(do_sort, SELECTED, After.NUMBERS_STAY),
    "THREAD": Verb(do_thread, SELECTED, After.NUMBERS_STAY),
}
