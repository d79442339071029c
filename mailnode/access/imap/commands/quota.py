"""GETQUOTA, GETQUOTAROOT, SETQUOTA: how much of its room an account uses.

Promises: one quota root holds all of a user's folders; its limit is set by administrators only.
What is put into a folder that somebody shares takes that user's room.
RFC: 9208.
"""

from __future__ import annotations

from mailnode.access.imap.commands.acl import reach
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Reply, no, ok
from mailnode.access.imap.session import Session
from mailnode.model.errors import NoSuchFolder
from mailnode.store import QuotaUse
from mailnode.wire.imap.account_args import GetQuota, SetQuota
from mailnode.wire.imap.ast import Command, OneMailbox
from mailnode.wire.imap.format import mailbox, string

ROOT, PUBLIC_ROOT = "user", "public"
NO_ROOT = no("no such quota root", "NONEXISTENT")
# RFC 9208 5.1: STORAGE counts in units of 1024 octets.
UNIT_BYTES = 1024


async def do_get_quota(session: Session, command: Command, args: GetQuota) -> Reply:
    """RFC 9208 4.1.1."""
    if args.root == ROOT:
        use = await session.means.pool.run(session.owner().quota)
    else:
        owner = _owner_of(args.root)
        if owner is None:
            return NO_ROOT
        try:
            use = await session.means.pool.run(reach(session).quota_of, owner)
        except NoSuchFolder:
            return NO_ROOT
    session.out.write(quota_line(args.root, use))
    return ok("done")


def _owner_of(root: str) -> str | None:
    """Whose root it is (``""``: the public folders'); ``None`` where it can be nobody's."""
    if root == PUBLIC_ROOT:
        return ""
    owner = root.removeprefix(f"{ROOT}/")
    return owner if owner and owner != root else None


async def do_get_quota_root(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 9208 4.1.2: one's own mailbox need not exist yet; another's needs the right ``r``."""
    account, root = reach(session), ROOT
    if account.is_shared(args.mailbox):
        owner = await session.means.pool.run(account.quota_owner, args.mailbox)
        root = f"{ROOT}/{owner}" if owner else PUBLIC_ROOT
        use = await session.means.pool.run(account.quota_of, owner)
    else:
        use = await session.means.pool.run(account.quota)
    name = mailbox(args.mailbox, session.enabled.utf8)
    session.out.write(b"* QUOTAROOT %b %b\r\n" % (name, string(root.encode())))
    session.out.write(quota_line(root, use))
    return ok("done")


async def do_set_quota(session: Session, command: Command, args: SetQuota) -> Reply:
    """RFC 9208 4.1.3: known, but for nobody who comes by IMAP (QUOTASET is not offered)."""
    return no("limits are set by the administrator", "NOPERM") if args.root == ROOT else NO_ROOT


def quota_line(root: str, use: QuotaUse) -> bytes:
    """An untagged QUOTA; what has no limit is not told (RFC 9208 4.2.1)."""
    resources = b""
    if use.limit_bytes:
        # Whatever is begun counts as used, whatever is not whole is no room.
        used = -(-use.used_bytes // UNIT_BYTES)
        resources = b"STORAGE %d %d" % (used, use.limit_bytes // UNIT_BYTES)
    return b"* QUOTA %b (%b)\r\n" % (string(root.encode()), resources)


VERBS = {
    "GETQUOTA": Verb(do_get_quota, KNOWN),
    "GETQUOTAROOT": Verb(do_get_quota_root, KNOWN),
    "SETQUOTA": Verb(do_set_quota, KNOWN),
}
