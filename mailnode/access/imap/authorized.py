"""What an authorized URL lets its reader read.

Promises: only while the URL's time, its role and a key of its mailbox say so; why not is not told.
RFC: 4467 3 (roles), 2.1 (keys).
"""

from __future__ import annotations

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
            if not verified(self.url, keys_of(self.account, self.url.message.mailbox)):
                return None
            return read_url(self.account, self.url.message, self.cache)
        except (BadUrl, NoSuchFolder, BadFolderName):
            return None


async def authorize(session: Session, text: str) -> Granted | None:
    """The URL as this session's user may read it. Raises ``DirectoryGone``."""
    url = parse_auth_url(text)
    if url is None or not url.token or not _may_use(session, url):
        return None
    if url.expires is not None and url.expires <= session.means.clock.now():
        return None
    account = await _account(session, url.owner)
    return None if account is None else Granted(account, url, session.means.cache)


def _may_use(session: Session, url: AuthUrl) -> bool:
    """RFC 4467 3 "access identifier"."""
    if url.role == "user":
        return same_user(session, url.role_user)
    if url.role == "submit":
        return session.user in session.means.settings.submission_users
    # RFC 4467 3: anonymous is anybody, authuser anybody who has logged in; here all have.
    return True


def same_user(session: Session, name: str) -> bool:
    """Whether a name in a URL is this session's user."""
    return _completed(session, name) == session.user.lower()


def _completed(session: Session, name: str) -> str:
    """A name as it stands in a URL may lack the domain that was not typed at login either."""
    return name if "@" in name else name + "".join(session.user.lower().partition("@")[1:])


async def _account(session: Session, owner: str) -> Account | None:
    means, user = session.means, _completed(session, owner)
    if user == session.user.lower():
        return session.owner()
    ref = await means.owners(user)
    return None if ref is None else await means.pool.run(means.store.account, ref)
