"""The view is filled while clients idle."""

import pytest

from mailnode.access.imap import filling
from mailnode.access.imap.message_file import MessageCache
from mailnode.runtime.clock import SystemClock
from mailnode.store import AccountRef
from tests.support.imap_fixture import imap as imap
from tests.support.imap_server import ImapServer, message

REF = AccountRef("user1", "example.test/user1")
IDLE = "C: s SELECT INBOX\n...\nS: s OK\nC: i IDLE\nS: +\n"


def indexed(server: ImapServer, count: int) -> list[bool]:
    folder = server.store.account(REF).open("INBOX", True)
    try:
        return list(folder.may_contain(range(1, count + 1), "").values())
    finally:
        folder.close()


def test_an_idle_client_has_its_folder_filled(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 31)))
    dialog = imap.play(IDLE)
    imap.thread.run(imap.service.fill())
    assert indexed(imap, 30) == [True] * 30
    # Mail that comes is filled in at the next turn.
    imap.deliver(message(31))
    dialog.play("S: * 31 EXISTS\n...\nS: * 31 RECENT")
    imap.thread.run(imap.service.fill())
    assert indexed(imap, 31) == [True] * 31
    dialog.play('C: DONE\n...\nS: i OK\nC: a SEARCH BODY "hello"\nS: * SEARCH 1 2 3\nS: a OK')


def test_a_busy_client_has_not(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play("C: s SELECT INBOX\n...\nS: s OK")
    imap.thread.run(imap.service.fill())
    assert indexed(imap, 1) == [False]


def test_a_turn_ends_in_time(imap: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    imap.deliver(*(message(n) for n in range(1, 31)))
    monkeypatch.setattr(filling, "BUDGET_S", -1.0)
    account, cache = imap.store.account(REF), MessageCache()
    assert not filling.fill(account, "INBOX", cache, SystemClock())
    monkeypatch.setattr(filling, "BUDGET_S", 60.0)
    assert filling.fill(account, "INBOX", cache, SystemClock())
