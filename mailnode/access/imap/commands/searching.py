"""SEARCH and UID SEARCH, with the plain answer and the extended one.

Promises: the pool works on it in bounded steps; a client that leaves ends its search.
RFC: 3501 6.4.4; 9051 6.4.4; 4731 (ESEARCH); 5182 (SEARCHRES); 7162 3.1.5, 3.1.10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mailnode.access.imap.commands.contexts import check_tag, keep_up
from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, ok
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.session import Session
from mailnode.model.errors import MailnodeError
from mailnode.store import Folder, Picture
from mailnode.wire.imap.ast import (
    AndKey,
    Command,
    HeaderKey,
    ModSeqKey,
    NotKey,
    OrKey,
    Search,
    SearchKey,
    SearchReturn,
    SeqKey,
    Sort,
    TextKey,
    Thread,
)
from mailnode.wire.imap.format import search_line

# A folder up to this size is searched without keeping others from the event loop.
BRISK_ROWS = 200


async def do_search(session: Session, command: Command, args: Search) -> Reply:
    """RFC 3501 6.4.4, 4731."""
    if args.charset_given and session.enabled.utf8_accept:
        # RFC 6855 3: every string is UTF-8 already.
        raise Refused(bad("no CHARSET after ENABLE UTF8=ACCEPT"))
    returns = args.returns
    if returns is None and session.enabled.rev2:
        # RFC 9051 6.4.4: ESEARCH answers every search; ALL is what is asked without RETURN.
        returns = SearchReturn(frozenset({"ALL"}))
    check_relevancy(args.key, returns)
    check_tag(session, command.tag, returns)
    saves = returns is not None and "SAVE" in returns.options
    with_modseq = asks_modseq(args.key)
    if with_modseq:
        session.turn_condstore_on()
    selected = session.view()
    by_uid = speaks_of_uids(command, args.key)
    picture = await session.current(look=with_modseq, expunge=by_uid)
    try:
        found = await find(session, args.key, picture)
    except MailnodeError:
        if saves:
            selected.saved = ()  # RFC 5182 2.1: a search that fails leaves "$" empty
        raise
    results = Results(picture, found.rows, command.uid, found.scores)
    if returns is None:
        # RFC 7162 3.1.5: the highest modseq of what was found, nothing where nothing was.
        modseq = results.highest_modseq(found.rows) if with_modseq else 0
        session.out.write(search_line(results.numbers(), modseq or None) + b"\r\n")
        return ok("done")
    if saves:
        selected.saved = results.saved(returns)
    session.out.write(results.line(command.tag, returns, with_modseq))
    if "UPDATE" in returns.options:
        keep_up(session, command.tag, args, results)
    return ok("done")


class Found(NamedTuple):
    """``rows`` of the picture, ascending; ``scores`` by UID where the search was fuzzy."""

    rows: Sequence[int]
    scores: dict[int, int]


async def find(session: Session, key: SearchKey, picture: Picture) -> Found:
    """The messages of the picture that a key names. Raises ``Refused`` after ENABLE UIDONLY for
    keys that are message numbers (RFC 9586 3.2)."""
    if session.enabled.uidonly and has_numbers(key):
        raise Refused(bad("no message numbers after ENABLE UIDONLY", "UIDREQUIRED"))
    selected = session.view()
    return await find_in(session, selected.folder, key, picture, selected.is_recent, selected.saved)


async def find_in(
    session: Session,
    folder: Folder,
    key: SearchKey,
    picture: Picture,
    is_recent: Callable[[int], bool] = lambda uid: False,
    saved: Sequence[int] = (),
) -> Found:
    """The same in any folder."""
    searcher = Searcher(
        folder,
        key,
        picture,
        is_recent=is_recent,
        saved=saved,
        now=session.means.clock.now(),
        cache=session.means.cache,
    )
    pool = session.means.pool
    run = pool.brisk if len(picture.uids) <= BRISK_ROWS else pool.run
    done = await run(searcher.advance)
    while not done:
        await session.still_at_it()
        done = await pool.run(searcher.advance)
    return Found(searcher.rows, searcher.scores)


def check_relevancy(key: SearchKey, returns: SearchReturn | None) -> None:
    """RFC 6203 4: scores are of fuzzy searches. Raises ``Refused``."""
    if returns is None or "RELEVANCY" not in returns.options:
        return
    if not any(isinstance(at, HeaderKey | TextKey) and at.fuzzy for at in every_key(key)):
        raise Refused(bad("RELEVANCY needs a FUZZY key"))


def asks_modseq(key: SearchKey) -> bool:
    """Whether MODSEQ is anywhere in a key."""
    return any(isinstance(at, ModSeqKey) for at in every_key(key))


def has_numbers(key: SearchKey) -> bool:
    """Whether message numbers are anywhere in a key; ``$`` is none."""
    return any(isinstance(at, SeqKey) and not at.messages.saved for at in every_key(key))


def speaks_of_uids(command: Command, key: SearchKey) -> bool:
    """Whether neither question nor answer has message numbers, so that expunges may be told
    before it."""
    return command.uid and not has_numbers(key)


def names_numbers(args: object) -> bool:
    """Whether a command's arguments search by message numbers."""
    return isinstance(args, Search | Sort | Thread) and has_numbers(args.key)


def every_key(key: SearchKey) -> Iterator[SearchKey]:
    """A key and all below it."""
    pending = [key]
    while pending:
        at = pending.pop()
        yield at
        if isinstance(at, AndKey):
            pending += at.keys
        elif isinstance(at, OrKey):
            pending += (at.left, at.right)
        elif isinstance(at, NotKey):
            pending.append(at.key)


VERBS = {"SEARCH": Verb(do_search, SELECTED, After.NUMBERS_STAY)}
