"""What an authorized URL lets its reader read.

Promises: only while the URL's time, its role and a key of its mailbox say so; why not is not told.
RFC: 4467 3 (roles), 2.1 (keys).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.referred import BadUrl, read_url
from mailnode.access.imap.session import Session
from mailnode.access.imap.url_keys import keys_of
from mailnode.model.errors import BadFolderName, NoSuchFolder
from mailnode.store import Account
from mailnode.wire.imap.urlauth import AuthUrl, parse_auth_url, verified


@dataclass(frozen=True, slots=True)
class Granted:
    """A URL whose role and time are good; its verifier is looked at when it is read."""

    account: Account
    url: AuthUrl
    cache: MessageCache

    def read(self) -> bytes | None:
        """Blocking: the octets, or ``None`` where the verifier is not good or nothing is there."""
        try:
            if not verified(self.url, self._keys()):
                return None
            return read_url(self.account, self.url.message, self.cache)
        except (BadUrl, NoSuchFolder, BadFolderName):
            return None

    def _keys(self) -> list[bytes]:
        # RFC 4467 6: as much work for a mailbox that is not there, or has no key.
        plausible = [secrets.token_bytes(32)]
        try:
            return keys_of(self.account, self.url.message.mailbox) or plausible
        except (NoSuchFolder, BadFolderName):
            return plausible


async def authorize(session: Session, text: str) -> Granted | None:
    """The URL as this session's user may read it. Raises ``DirectoryGone``."""
    means, user = session.means, session.user.lower()
    submits = user in means.settings.submission_users
    url = usable(text, user, lambda name: submits, means.clock.now())
    if url is None:
        return None
    account = await _account(session, url.owner)
    return None if account is None else Granted(account, url, means.cache)


def usable(text: str, user: str, submits_for: Callable[[str], bool], now: float) -> AuthUrl | None:
    """The URL, if ``user`` (who may submit for whom ``submits_for`` says) may use it now."""
    url = parse_auth_url(text)
    if url is None or not url.token or (url.expires is not None and url.expires <= now):
        return None
    # Whoever the owner meant is of the owner's domain, not of that of whoever comes with the URL.
    meant = completed(url.role_user, completed(url.owner, user))
    # RFC 4467 3 "access identifier": anonymous is anybody, authuser anybody who has logged in.
    if url.role == "user" and meant != user:
        return None
    if url.role == "submit" and not submits_for(meant):
        return None
    return url


def completed(name: str, user: str) -> str:
    """A name as it stands in a URL may lack the domain that was not typed at login either."""
    return name if "@" in name else name + "".join(user.partition("@")[1:])


async def _account(session: Session, owner: str) -> Account | None:
    means, user = session.means, completed(owner, session.user.lower())
    if user == session.user.lower():
        return session.owner()
    ref = await means.owners(user)
    return None if ref is None else await means.pool.run(means.store.account, ref)
