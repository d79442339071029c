"""GETQUOTA, GETQUOTAROOT, SETQUOTA: how much of its room an account uses.

Promises: one quota root holds all of a user's folders; its limit is set by administrators only.
RFC: 9208.
"""

from __future__ import annotations

from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Reply, no, ok
from mailnode.access.imap.session import Session
from mailnode.store import QuotaUse
from mailnode.wire.imap.account_args import GetQuota, SetQuota
from mailnode.wire.imap.ast import Command, OneMailbox
from mailnode.wire.imap.format import mailbox

ROOT = "user"
NO_ROOT = no("no such quota root", "NONEXISTENT")
# RFC 9208 5.1: STORAGE counts in units of 1024 octets.
UNIT_BYTES = 1024


async def do_get_quota(session: Session, command: Command, args: GetQuota) -> Reply:
    """RFC 9208 4.1.1."""
    if args.root != ROOT:
        return NO_ROOT
    await _tell_use(session)
    return ok("done")


async def do_get_quota_root(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 9208 4.1.2: the mailbox need not exist yet."""
    name = mailbox(args.mailbox, session.enabled.utf8)
    session.out.write(b'* QUOTAROOT %b "%b"\r\n' % (name, ROOT.encode()))
    await _tell_use(session)
    return ok("done")


async def do_set_quota(session: Session, command: Command, args: SetQuota) -> Reply:
    """RFC 9208 4.1.3: known, but for nobody who comes by IMAP (QUOTASET is not offered)."""
    return no("limits are set by the administrator", "NOPERM") if args.root == ROOT else NO_ROOT


async def _tell_use(session: Session) -> None:
    use = await session.means.pool.run(session.owner().quota)
    session.out.write(quota_line(use))


def quota_line(use: QuotaUse) -> bytes:
    """An untagged QUOTA; what has no limit is not told (RFC 9208 4.2.1)."""
    resources = b""
    if use.limit_bytes:
        # Whatever is begun counts as used, whatever is not whole is no room.
        used = -(-use.used_bytes // UNIT_BYTES)
        resources = b"STORAGE %d %d" % (used, use.limit_bytes // UNIT_BYTES)
    return b'* QUOTA "%b" (%b)\r\n' % (ROOT.encode(), resources)


VERBS = {
    "GETQUOTA": Verb(do_get_quota, KNOWN),
    "GETQUOTAROOT": Verb(do_get_quota_root, KNOWN),
    "SETQUOTA": Verb(do_set_quota, KNOWN),
}
