"""The octets that an IMAP URL names.

Fails: ``BadUrl`` where there is nothing under the URL; what the store raises otherwise.
RFC: 4469 3, 5092 6.
"""

from __future__ import annotations

from mailnode.access.imap.message_file import MessageCache
from mailnode.model.errors import BadFolderName, NoSuchFolder, NoSuchMessage
from mailnode.store import Account
from mailnode.wire.imap.parse.fetch import parse_section
from mailnode.wire.imap.url import MessageUrl
from mailnode.wire.mime.sections import Text, extract


class BadUrl(Exception):
    """The URL names nothing that this user may read."""


def read_url(account: Account, url: MessageUrl, cache: MessageCache) -> bytes:
    """Blocking: the octets, as FETCH BODY.PEEK would give them; nothing becomes seen."""
    section = parse_section(url.section)
    if section is None or not url.mailbox:
        raise BadUrl
    try:
        folder = account.open(url.mailbox, True)
    except (NoSuchFolder, BadFolderName):
        raise BadUrl from None
    try:
        validity = folder.refresh().uidvalidity
        if url.uidvalidity not in (None, validity):
            raise BadUrl
        message = cache.load(folder, validity, url.uid)
    except NoSuchMessage:
        raise BadUrl from None
    finally:
        folder.close()
    text = Text(section.kind.value)
    found = extract(message.data, message.root, section.part, text, section.fields)
    if found is None:
        raise BadUrl
    return _cut(found, url.partial)


def _cut(octets: bytes, partial: tuple[int, int | None] | None) -> bytes:
    if partial is None:
        return octets
    offset, count = partial
    return octets[offset:] if count is None else octets[offset : offset + count]
