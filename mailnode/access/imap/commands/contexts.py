"""RETURN (UPDATE): searches that are kept up to date, until CANCELUPDATE or the folder is left.

RFC: 5267 4; 5465 7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mailnode.access.imap.commands.fetching import send_rows
from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.verb import SELECTED, Verb
from mailnode.access.imap.context import MAX_CONTEXTS, Context, can_be_kept_up
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import CancelUpdate, Command, Search, SearchReturn, Sort
from mailnode.wire.imap.fetch_items import FetchItem


def check_tag(session: Session, tag: str, returns: SearchReturn | None) -> None:
    """RFC 5267 4.3: two results under one tag could not be told apart. Raises ``Refused``."""
    if returns is not None and "UPDATE" in returns.options and tag in session.view().contexts:
        raise Refused(bad("a result under this tag is kept up already"))


def keep_up(session: Session, tag: str, args: Search | Sort, results: Results) -> None:
    """Begin to tell what joins and leaves this result, or say that it will not be told."""
    contexts = session.view().contexts
    if len(contexts) >= MAX_CONTEXTS or not can_be_kept_up(args.key):
        refuse(session, tag)
        return
    uids = [results.picture.uids[row] for row in results.rows]
    criteria = args.criteria if isinstance(args, Sort) else ()
    items = args.returns.items if args.returns is not None else ()
    on_added = _teller(session, items) if items else None
    contexts[tag] = Context(tag, results.by_uid, args.key, criteria, uids, on_added)


def refuse(session: Session, tag: str) -> None:
    """RFC 5267 4.3.1: the search was answered all the same."""
    refusal = no("this result is not kept up to date", f'NOUPDATE "{tag}"')
    session.out.write(refusal.line("*"))


def _teller(
    session: Session, items: tuple[FetchItem, ...]
) -> Callable[[list[int]], Awaitable[None]]:
    async def tell(uids: list[int]) -> None:
        # RFC 5465 5.2: in one FETCH with what NOTIFY asks for.
        also = session.watch.wishes.items if session.watch is not None else ()
        await send_rows(session, tuple(dict.fromkeys((*items, *also))), uids)

    return tell


async def do_cancelupdate(session: Session, command: Command, args: CancelUpdate) -> Reply:
    """RFC 5267 4.3.5."""
    contexts = session.view().contexts
    for tag in args.tags:
        contexts.pop(tag, None)
    return ok("done")


VERBS = {"CANCELUPDATE": Verb(do_cancelupdate, SELECTED)}
