"""ESEARCH: one search through several mailboxes, each answered for itself.

Promises: one mailbox is open at a time besides the selected one; mailboxes that are not there are
passed over.
RFC: 7377 2.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailnode.access.imap.commands.contexts import check_tag, keep_up, refuse
from mailnode.access.imap.commands.listing import Known, read_known
from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.searching import (
    asks_modseq,
    check_relevancy,
    find,
    find_in,
    has_numbers,
)
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.context import by_content_alone
from mailnode.access.imap.reply import Refused, Reply, bad, ok
from mailnode.access.imap.session import Session
from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.store import Account, Folder
from mailnode.wire.imap.ast import Command, MultiSearch, Search, SearchReturn, Source
from mailnode.wire.imap.format import mailbox

EVERYTHING = SearchReturn(frozenset({"ALL"}))


async def do_esearch(session: Session, command: Command, args: MultiSearch) -> Reply:
    """RFC 7377 2."""
    search, returns = args.search, args.search.returns or EVERYTHING
    _check(session, command.tag, args, returns)
    if asks_modseq(search.key):
        session.turn_condstore_on()
    here: Results | None = None
    for name in await _names(session, args.sources):
        if session.selected is not None and name == session.selected.folder.name:
            here = await _search_selected(session, command.tag, search, returns)
        else:
            await _search_other(session, command.tag, name, search, returns)
    if "UPDATE" in returns.options:
        # RFC 7377 2.2: of the selected mailbox alone.
        if here is not None:
            keep_up(session, command.tag, search, here)
        else:
            refuse(session, command.tag)
    return ok("done")


def _check(session: Session, tag: str, args: MultiSearch, returns: SearchReturn) -> None:
    if args.search.charset_given and session.enabled.utf8_accept:
        raise Refused(bad("no CHARSET after ENABLE UTF8=ACCEPT"))
    check_relevancy(args.search.key, returns)
    if "UPDATE" in returns.options:
        check_tag(session, tag, returns)  # RFC 7377 2.2: there must be a selected mailbox
    if all(source.which == "SELECTED" for source in args.sources):
        session.view()  # RFC 7377 2.2: there must be one
        return
    if "SAVE" in returns.options:
        # RFC 7377 2.2: "$" names messages of the selected mailbox.
        raise Refused(bad("SAVE is for the selected mailbox alone"))
    if not by_content_alone(args.search.key):
        # RFC 7377 2.1: message numbers mean nothing in a mailbox that is not selected.
        raise Refused(bad("no message numbers in a search of several mailboxes"))


async def _names(session: Session, sources: tuple[Source, ...]) -> list[str]:
    """The mailboxes to be searched, each once, INBOX first."""
    names: set[str] = set()
    if not sources or any(source.which == "SELECTED" for source in sources):
        names.add(session.view().folder.name)
    if sources:
        known = await session.means.pool.run(read_known, session.owner())
        for source in sources:
            names |= set(matching(source, known))
    return sorted(names, key=lambda name: (name != "INBOX", name))


def matching(source: Source, known: Known) -> Iterable[str]:
    """The selectable mailboxes that a source stands for, the selected one apart."""
    there = [info.name for info in known.folders.values() if info.selectable]
    which, names = source.which, source.names
    if which in ("PERSONAL", "INBOXES"):
        # RFC 5465 6.3: where mail may be delivered to anywhere, inboxes means personal.
        return [name for name in there if not known.folders[name].shared]
    if which == "SUBSCRIBED":
        return [name for name in there if name in known.subscribed]
    if which == "MAILBOXES":
        return [name for name in there if name in names]
    if which == "SUBTREE":
        return [n for n in there if any((n + "/").startswith(top + "/") for top in names)]
    # RFC 7377 2.2 "subtree-one": those named and their children, not what is below these.
    return [n for n in there if n in names or n.rpartition("/")[0] in names]


async def _search_selected(
    session: Session, tag: str, search: Search, returns: SearchReturn
) -> Results:
    selected = session.view()
    picture = await session.current(look=True, expunge=not has_numbers(search.key))
    found = await find(session, search.key, picture)
    results = Results(picture, found.rows, True, found.scores)
    if "SAVE" in returns.options:
        selected.saved = results.saved(returns)
    _tell(session, tag, selected.folder.name, search, returns, results)
    return results


async def _search_other(
    session: Session, tag: str, name: str, search: Search, returns: SearchReturn
) -> None:
    pool = session.means.pool
    try:
        folder = await pool.run(_open, session.owner(), name)
    except NoSuchFolder:
        return  # RFC 7377 2.2: it may have gone meanwhile
    try:
        picture = await pool.run(folder.refresh)
        found = await find_in(session, folder, search.key, picture)
    except NoPermission:
        return  # to be looked up only
    finally:
        await pool.run(folder.close)
    results = Results(picture, found.rows, True, found.scores)
    _tell(session, tag, name, search, returns, results)


def _open(account: Account, name: str) -> Folder:
    return account.open(name, True)


def _tell(
    session: Session, tag: str, name: str, search: Search, returns: SearchReturn, found: Results
) -> None:
    # RFC 7377 2.1: a mailbox in which nothing matches is not spoken of.
    if found.rows:
        shown = mailbox(name, session.enabled.utf8)
        where = b"MAILBOX %b UIDVALIDITY %d" % (shown, found.picture.uidvalidity)
        session.out.write(found.line(tag, returns, asks_modseq(search.key), where))


VERBS = {"ESEARCH": Verb(do_esearch, KNOWN)}
