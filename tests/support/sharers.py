"""Dialogs of several users: client 1 is ann, 2 and 5 are bob, 3 is eve, all of one domain; 4 is mal
of another."""

from __future__ import annotations

from typing import Any

from mailnode.store import AccountRef, NewMessage
from mailnode.store.acl import Acl, Entry
from mailnode.store.shared import public_ref
from tests.support.dialog import Dialog
from tests.support.imap_server import DATE, ImapServer

USERS = {
    "1": "ann@example.test",
    "2": "bob@example.test",
    "3": "eve@example.test",
    "4": "mal@other.test",
    "5": "bob@example.test",
}
ANN, BOB, EVE, MAL, _ = USERS.values()


class Sharers(Dialog):
    """Each client is greeted and logged in before its first line."""

    def client(self, number: str = "") -> Any:
        name = number or "1"
        if name not in self.clients:
            super().client(name)
            user = USERS[name[0]]
            self.play(f"S{name}: * OK\nC{name}: login LOGIN {user} secret\nS{name}: login OK")
        return self.clients[name]


def share(imap: ImapServer, script: str, **variables: str) -> Sharers:
    """Play it; the dialog, to go on with."""
    dialog = Sharers(imap.address, variables)
    imap._dialogs.append(dialog)
    dialog.play(script)
    return dialog


def put(imap: ImapServer, *messages: bytes, user: str = ANN, folder: str = "INBOX") -> list[int]:
    """Messages in a folder, as if they had been delivered."""
    account = imap.store.account(AccountRef(user, f"example.test/{user}"))
    opened = account.open(folder)
    try:
        return opened.append([NewMessage((message,), DATE) for message in messages])
    finally:
        opened.close()


def give(
    imap: ImapServer, identifier: str, rights: str, *, user: str = ANN, folder: str = "INBOX"
) -> None:
    """What SETACL does."""
    account = imap.store.account(AccountRef(user, f"example.test/{user}"))
    account.change_acl(folder, lambda acl: acl.replaced(Entry(identifier, rights)))


def make_public(imap: ImapServer, name: str, *entries: Entry, domain: str = "example.test") -> None:
    """A public folder (``""``: the whole of them) with this list."""
    account = imap.store.account(public_ref(domain))
    if name:
        account.create(name)
    account.change_acl(name or "INBOX", lambda acl: Acl(entries))
