"""Into which folder of its account a copy goes: ``user+Folder@domain``, and the right to post.

Promises: whoever sends, all that ``p`` decides is INBOX or the folder; a folder is written to by
its address only while its list gives ``p`` to ``anyone``, for senders of mail prove nothing.
RFC: 4314 2.1 ("p"), 5233 1 (sub-addresses).
"""

from __future__ import annotations

from mailnode.store import Account
from mailnode.store.acl import ANYONE, Acl

INBOX = "INBOX"


def detail_of(recipient: str, user: str, delimiters: str) -> str:
    """What stands behind the delimiter in an address of this user's own; else nothing."""
    local = recipient.rpartition("@")[0]
    places = [place for place in map(local.find, delimiters) if place > 0]
    if not places:
        return ""
    own = user.rpartition("@")[0] or user
    return local[min(places) + 1 :] if local[: min(places)].lower() == own.lower() else ""


def folder_for(account: Account, detail: str) -> str:
    """Blocking: the folder of that name in which anyone may post, else INBOX. Case counts only
    where two folders differ by nothing else. Raises ``StorageGone``."""
    fitting = [
        info.name
        for info in account.folders()
        if info.selectable and info.name.casefold() == detail.casefold()
    ]
    for name in sorted(fitting, key=lambda name: name != detail):
        if _anyone_may_post(account.acl(name)):
            return name
    return INBOX


def _anyone_may_post(acl: Acl) -> bool:
    given, taken = acl.find(ANYONE), acl.find(ANYONE, negative=True)
    return bool(given and "p" in given.rights and not (taken and "p" in taken.rights))
