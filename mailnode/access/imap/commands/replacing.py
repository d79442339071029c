"""REPLACE and UID REPLACE: a new message instead of an old one.

Promises: the old message goes only after the new one is durable; the room it took counts as free
in the account that it leaves.
RFC: 8508.
"""

from __future__ import annotations

from mailnode.access.imap.commands.append import Appended, append, prepared
from mailnode.access.imap.commands.changing import find_row, source_apart
from mailnode.access.imap.commands.choosing import SOME_GONE, chosen
from mailnode.access.imap.commands.selecting import need_writable
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, ok
from mailnode.access.imap.session import Session
from mailnode.runtime.maillog import Event
from mailnode.store import Account, Folder, NewMessage
from mailnode.store.guarded import demand
from mailnode.wire.imap.ast import Command, Replace


async def do_replace(session: Session, command: Command, args: Replace) -> Reply:
    """RFC 8508 3.4."""
    selected = session.view()
    need_writable(selected)
    uids = chosen(selected, args.old, command.uid)
    if not uids:
        return SOME_GONE
    message = await prepared(session, args.new, session.means.clock.now())
    done = await session.means.pool.run(
        replace, session.owner(), selected.folder, uids[0], args.mailbox, message
    )
    session.changed_folder(done.key, done.uids)
    session.means.log.event(
        Event.EXPUNGED, service="imap", user=session.user, folder=selected.folder.name, count=1
    )
    # RFC 8508 4.3: untagged and first, so that the client learns of the new before the old goes.
    session.out.write(ok("the new message is kept", done.code()).line("*"))
    await session.send_news(look=True, expunge=True, own=True)
    highest = f"HIGHESTMODSEQ {selected.picture.highestmodseq}"
    return ok("replaced", highest if session.enabled.condstore else "")


def replace(account: Account, source: Folder, uid: int, name: str, message: NewMessage) -> Appended:
    """Blocking. Raises ``NoSuchFolder`` for the target, ``OverQuota``; ``Refused`` when the old
    message is gone, ``FolderLost`` when its folder is."""
    with source_apart(source):
        demand(source.rights, "te", source.key)  # before anything is stored
        if find_row(source.refresh(), uid) is None:
            raise Refused(SOME_GONE)
        spare = sum(info.size for info in source.infos([uid]))
        done = append(account, name, [message], spare, source.key)
        source.remove([uid])
        return done


VERBS = {"REPLACE": Verb(do_replace, SELECTED, After.NONE)}
