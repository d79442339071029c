"""SEARCH and UID SEARCH, with the plain answer and the extended one.

Promises: the pool works on it in bounded steps; a client that leaves ends its search.
RFC: 3501 6.4.4; 9051 6.4.4; 4731 (ESEARCH); 5182 (SEARCHRES); 7162 3.1.5, 3.1.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, ok
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.session import Session
from mailnode.model.errors import MailnodeError
from mailnode.store import Picture
from mailnode.wire.imap.ast import (
    AndKey,
    Command,
    ModSeqKey,
    NotKey,
    OrKey,
    Search,
    SearchKey,
    SearchReturn,
)
from mailnode.wire.imap.format import esearch_line, number_set, search_line


async def do_search(session: Session, command: Command, args: Search) -> Reply:
    """RFC 3501 6.4.4, 4731."""
    if args.charset_given and session.enabled.utf8_accept:
        # RFC 6855 3: every string is UTF-8 already.
        raise Refused(bad("no CHARSET after ENABLE UTF8=ACCEPT"))
    returns = args.returns
    if returns is None and session.enabled.rev2:
        # RFC 9051 6.4.4: ESEARCH answers every search; ALL is what is asked without RETURN.
        returns = SearchReturn(frozenset({"ALL"}))
    if returns is not None and returns.partial is not None:
        raise Refused(bad("PARTIAL is not supported"))
    saves = returns is not None and "SAVE" in returns.options
    with_modseq = _asks_modseq(args.key)
    if with_modseq:
        session.turn_condstore_on()
    selected = session.view()
    picture = await session.current(look=with_modseq, expunge=command.uid)
    try:
        rows = await _find(session, args.key, picture)
    except MailnodeError:
        if saves:
            selected.saved = ()  # RFC 5182 2.1: a search that fails leaves "$" empty
        raise
    if saves and returns is not None:
        selected.saved = tuple(picture.uids[row] for row in _chosen(rows, returns.options))
    numbers = [picture.uids[row] if command.uid else row + 1 for row in rows]
    if returns is None:
        # RFC 7162 3.1.5: the highest modseq of what was found, nothing where nothing was.
        modseq = _highest(picture, rows) if with_modseq else 0
        line = search_line(numbers, modseq or None) + b"\r\n"
    else:
        modseq = _highest(picture, _chosen(rows, returns.options)) if with_modseq else 0
        line = _extended(command, numbers, returns, modseq)
    session.out.write(line)
    return ok("done")


async def _find(session: Session, key: SearchKey, picture: Picture) -> Sequence[int]:
    selected = session.view()
    searcher = Searcher(
        selected.folder,
        key,
        picture,
        is_recent=selected.is_recent,
        saved=selected.saved,
        now=session.means.clock.now(),
        cache=session.means.cache,
    )
    while not await session.means.pool.run(searcher.advance):
        await session.out.drain()
    return searcher.rows


def _asks_modseq(key: SearchKey) -> bool:
    pending = [key]
    while pending:
        at = pending.pop()
        if isinstance(at, ModSeqKey):
            return True
        if isinstance(at, AndKey):
            pending += at.keys
        elif isinstance(at, OrKey):
            pending += (at.left, at.right)
        elif isinstance(at, NotKey):
            pending.append(at.key)
    return False


def _chosen(rows: Sequence[int], options: frozenset[str]) -> Sequence[int]:
    """Whom SAVE keeps and whose modseq counts: all, unless only MIN or MAX is asked for.

    RFC 5182 2.4, 7162 3.1.10.
    """
    asked = options - {"SAVE"}
    if not rows or not asked or asked & {"ALL", "COUNT"}:
        return rows
    ends = {rows[0]} if "MIN" in asked else set[int]()
    return sorted(ends | ({rows[-1]} if "MAX" in asked else set()))


def _highest(picture: Picture, rows: Sequence[int]) -> int:
    return max((picture.modseqs[row] for row in rows), default=0)


def _extended(command: Command, numbers: list[int], returns: SearchReturn, modseq: int) -> bytes:
    # RFC 5182 2.1: SAVE alone answers with nothing.
    if returns.options == {"SAVE"}:
        return b""
    figures = _figures(numbers, returns.options, modseq)
    return esearch_line(command.tag, command.uid, figures) + b"\r\n"


def _figures(
    numbers: list[int], options: frozenset[str], modseq: int
) -> Iterator[tuple[str, bytes]]:
    # RFC 4731 3.1: MIN, MAX and ALL are left out when nothing was found; COUNT is not.
    if numbers and "MIN" in options:
        yield "MIN", b"%d" % numbers[0]
    if numbers and "MAX" in options:
        yield "MAX", b"%d" % numbers[-1]
    if "COUNT" in options:
        yield "COUNT", b"%d" % len(numbers)
    if numbers and "ALL" in options:
        yield "ALL", number_set(numbers)
    if modseq:
        yield "MODSEQ", b"%d" % modseq


VERBS = {"SEARCH": Verb(do_search, SELECTED, After.NUMBERS_STAY)}
