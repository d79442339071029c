"""UIDBATCHES: where to cut a large mailbox into batches of equal size.

Promises: the ranges go from the highest UID down to 1 without a gap; each holds as many messages
as asked for, the last perhaps fewer; nothing is saved or changed.
RFC: 10022.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailnode.access.imap.commands.verb import SELECTED, Verb
from mailnode.access.imap.reply import Reply, bad, no, ok
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import Command, UidBatches
from mailnode.wire.imap.format import correlator

# RFC 10022 3.1: a server takes 500, and ranges of 100,000 messages.
MIN_SIZE = 500
MAX_MESSAGES = 100_000


async def do_uid_batches(session: Session, command: Command, args: UidBatches) -> Reply:
    """RFC 10022 3.1."""
    selected = session.view()
    if args.only is not None and args.only[0] > args.only[1]:
        return bad("batches are numbered upwards", "CLIENTBUG")
    if args.size < MIN_SIZE:
        return no(f"a batch has {MIN_SIZE} messages at least", "TOOFEW")
    if args.only is not None:
        first, last = args.only
        if (last - first + 1) * args.size > MAX_MESSAGES:
            return no(f"ask for {MAX_MESSAGES} messages at most", "TOOMANY")
    found = batches(selected.picture.uids, args)
    told = b" " + b",".join(b"%d:%d" % one for one in found) if found else b""
    session.out.write(b"* UIDBATCHES %b%b\r\n" % (correlator(command.tag), told))
    return ok("done")


def batches(uids: Sequence[int], args: UidBatches) -> list[tuple[int, int]]:
    """The batches asked for, each from its highest UID down to its lowest."""
    count = -(-len(uids) // args.size)
    first, last = args.only or (1, count)
    found: list[tuple[int, int]] = []
    for number in range(first, min(last, count) + 1):
        # Counted from the newest message, for clients begin with it.
        end = len(uids) - (number - 1) * args.size
        high = uids[-1] if number == 1 else uids[end] - 1
        low = uids[end - args.size] if number < count else 1
        found.append((high, low))
    return found


VERBS = {"UIDBATCHES": Verb(do_uid_batches, SELECTED)}
