"""RETURN (UPDATE): searches that are kept up to date, until CANCELUPDATE or the folder is left.

RFC: 5267 4.
"""

from __future__ import annotations

from mailnode.access.imap.commands.results import Results
from mailnode.access.imap.commands.verb import SELECTED, Verb
from mailnode.access.imap.context import MAX_CONTEXTS, Context, by_content_alone
from mailnode.access.imap.reply import Reply, no, ok
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import CancelUpdate, Command, Search, Sort


def keep_up(session: Session, command: Command, args: Search | Sort, results: Results) -> None:
    """Begin to tell what joins and leaves this result, or say that it will not be told."""
    contexts = session.view().contexts
    contexts.pop(command.tag, None)
    if len(contexts) >= MAX_CONTEXTS or not by_content_alone(args.key):
        # RFC 5267 4.3: the search was answered all the same.
        refusal = no("this result is not kept up to date", f'NOUPDATE "{command.tag}"')
        session.out.write(refusal.line("*"))
        return
    uids = [results.picture.uids[row] for row in results.rows]
    criteria = args.criteria if isinstance(args, Sort) else ()
    contexts[command.tag] = Context(command.tag, command.uid, args.key, criteria, uids)


async def do_cancelupdate(session: Session, command: Command, args: CancelUpdate) -> Reply:
    """RFC 5267 4.5."""
    contexts = session.view().contexts
    for tag in args.tags:
        contexts.pop(tag, None)
    return ok("done")


VERBS = {"CANCELUPDATE": Verb(do_cancelupdate, SELECTED)}
