"""Who may use which mailbox, and the public mailboxes of a domain, from the command line.

Promises: the same locks and files as the server's own; running workers are told of what was done
here. ``account`` is a user's address, or ``@domain`` for a domain's public mailboxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mailnode.admin.cli.frame import CliError
from mailnode.admin.stored import find_mailbox, opened_store
from mailnode.model.errors import NoSuchFolder
from mailnode.model.rights import ALL_RIGHTS, expanded, ordered
from mailnode.runtime.settings.load import Settings
from mailnode.store import AccountRef
from mailnode.store.account import MaildirAccount
from mailnode.store.acl import Acl, Entry, Person
from mailnode.store.names import INBOX
from mailnode.store.shared import public_ref
from mailnode.store.sharing import UnknownIdentifier, named


def show(settings: Settings, account: str, folder: str) -> list[dict[str, Any]]:
    """A row for each entry of the lists of one folder, or of all that have any."""
    with _opened(settings, account) as found:
        names = [folder] if folder else [info.name for info in found.folders() if info.selectable]
        return [
            {"folder": name, "identifier": "-" * e.negative + e.identifier, "rights": e.rights}
            for name in names
            for e in _folder_acl(found, name).entries
        ]


def change(settings: Settings, account: str, folder: str, identifier: str, text: str) -> str:
    """Give (``+`` in front), take (``-``) or set rights; what the identifier then has."""
    op = text[:1] if text[:1] in ("+", "-") else ""
    rights = expanded(text.removeprefix(op))
    if rights is None:
        raise CliError(f"{text}: rights are some of {ALL_RIGHTS}, with + or - before them")
    negative = identifier.startswith("-")
    with _opened(settings, account) as found:
        name = _identifier(settings, account, identifier)

        def changed(acl: Acl) -> Acl:
            before = acl.find(name, negative=negative) or Entry(name, "", negative)
            kept = set(before.rights)
            now = {"+": kept | set(rights), "-": kept - set(rights)}.get(op, set(rights))
            return acl.replaced(before._replace(rights=ordered(now)))

        entry = _change(found, folder, changed).find(name, negative=negative)
    return entry.rights if entry else ""


def remove(settings: Settings, account: str, folder: str, identifier: str) -> None:
    """Take an identifier out of a folder's list."""
    negative = identifier.startswith("-")
    with _opened(settings, account) as found:
        name = _identifier(settings, account, identifier)
        if _folder_acl(found, folder).find(name, negative=negative) is None:
            raise CliError(f"{identifier}: not in the list of {folder}")
        _change(found, folder, lambda acl: acl.without(name, negative=negative))


def index(settings: Settings, mailboxes: Sequence[AccountRef]) -> int:
    """Make the index of who shares with whom anew, of accounts that are there; their number."""
    with opened_store(settings) as store:
        found = [one for one in map(store.find, mailboxes) if one is not None]
        for account in found:
            account.index_shares()
    return len(found)


# ---------------------------------------------------------------------- public mailboxes


def add_public(settings: Settings, domain: str, folder: str, rights: str) -> None:
    """Make a public mailbox, with these rights for everybody of the domain."""
    given = expanded(rights)
    if given is None:
        raise CliError(f"{rights}: rights are some of {ALL_RIGHTS}")
    with opened_store(settings) as store:
        account = store.account(public_ref(domain.lower()))
        account.create(folder)
        if given:
            account.change_acl(folder, lambda acl: acl.replaced(Entry("anyone", given)))


def public_folders(settings: Settings, domain: str) -> list[dict[str, Any]]:
    """A row for each public mailbox of a domain."""
    with opened_store(settings) as store:
        account = store.find(public_ref(domain.lower()))
        if account is None:
            return []
        names = [info.name for info in account.folders() if info.selectable and info.name != INBOX]
        rows = []
        for name in names:
            status = account.status(name)
            rows.append({"folder": name, "messages": status.messages, "size": status.size})
        return rows


def delete_public(settings: Settings, domain: str, folder: str) -> None:
    """Delete a public mailbox and its mail; those below it stay."""
    with _opened(settings, f"@{domain}") as account:
        try:
            account.delete(folder)
        except NoSuchFolder:
            raise CliError(f"{folder}: no such public mailbox of {domain}") from None


# ---------------------------------------------------------------------- which account, which list


@contextmanager
def _opened(settings: Settings, account: str) -> Iterator[MaildirAccount]:
    if account.startswith("@"):
        ref = public_ref(account[1:].lower())
    else:
        mailbox = find_mailbox(settings, account)
        ref = AccountRef(mailbox.user, mailbox.maildir, mailbox.quota_bytes)
    with opened_store(settings) as store:
        found = store.find(ref)
        if found is None and account.startswith("@"):
            raise CliError(f"{account}: no public mailboxes yet; see `mailnode public add`")
        yield found or store.account(ref)


def _identifier(settings: Settings, account: str, identifier: str) -> str:
    owner = "" if account.startswith("@") else account.lower()
    everywhere = settings.imap.share_everywhere
    try:
        name = named(identifier, Person(owner or f"x{account.lower()}"), owner, everywhere)
    except UnknownIdentifier as error:
        raise CliError(f"{identifier}: {error.public}") from None
    if owner and name == owner:
        raise CliError(f"{identifier}: an owner has every right and keeps it")
    return name


def _folder_acl(account: MaildirAccount, folder: str) -> Acl:
    try:
        return account.acl(folder)
    except NoSuchFolder:
        raise CliError(f"{folder}: no such mailbox") from None


def _change(account: MaildirAccount, folder: str, changed: Any) -> Acl:
    _folder_acl(account, folder)
    return account.change_acl(folder, changed)
