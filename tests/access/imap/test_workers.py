"""Two workers on one mail root: each has its own store, service and sessions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.store import Store
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, StoreMaker, imap_server, message


def telling(make: StoreMaker, others: list[ImapServer]) -> StoreMaker:
    """Stores that tell their changes to ``others`` too."""

    def wrapped(own: Callable[[str, int], None]) -> Store:
        def on_change(key: str, modseq: int) -> None:
            own(key, modseq)
            for other in others:
                other.hints.publish(key, modseq)

        return make(on_change)

    return wrapped


IDLING = "C: a SELECT INBOX\n...\nS: a OK\nC: b IDLE\nS: +"


def test_idle_in_one_worker_hears_of_the_other(tmp_path: Path) -> None:
    others: list[ImapServer] = []
    make = telling(maildir_store(tmp_path), others)
    with imap_server(make_store=maildir_store(tmp_path)) as first:
        others.append(first)
        with imap_server(make_store=make) as second:
            idle = first.play(IDLING)
            second.deliver(message(1), message(2))
            idle.play("S: * 2 EXISTS\nS: * 2 RECENT")
            active = second.play("C: a SELECT INBOX\n...\nS: a OK")
            active.play("C: b STORE 1 +FLAGS.SILENT (\\Deleted)\nS: b OK")
            idle.play(r"S~ \* 1 FETCH \(UID 1 FLAGS \(\\Deleted \\Recent\)\)")
            active.play("C: c EXPUNGE\nS: * 1 EXPUNGE\n...\nS: c OK")
            idle.play("S: * 1 EXPUNGE\nC: DONE\n...\nS: b OK\nC: c FETCH 1 UID")
            idle.play("S: * 1 FETCH (UID 2)\nS: c OK")


@pytest.mark.parametrize("command", ["NOOP", "CHECK"])
def test_without_any_hint_a_look_finds_it(tmp_path: Path, command: str) -> None:
    make = maildir_store(tmp_path)
    with imap_server(make_store=make) as first, imap_server(make_store=make) as second:
        dialog = first.play("C: a SELECT INBOX\n...\nS: a OK")
        second.deliver(message(1))
        dialog.play(f"C: b {command}\nS: * 1 EXISTS\nS: * 1 RECENT\nS: b OK")


def test_poll_finds_what_no_hint_told(tmp_path: Path) -> None:
    make = maildir_store(tmp_path)
    with imap_server(make_store=make) as first, imap_server(make_store=make) as second:
        idle = first.play(IDLING)
        second.deliver(message(1))
        idle.play("NOTHING:")
        for key in list(first.hints.heard):
            first.hints.publish(key, 0)
        idle.play("S: * 1 EXISTS")


def test_what_one_worker_expunged_the_other_tells_as_vanished(tmp_path: Path) -> None:
    make = maildir_store(tmp_path)
    with imap_server(make_store=make) as first, imap_server(make_store=make) as second:
        first.deliver(*(message(n) for n in range(1, 6)))
        away = first.play(
            r"""
            C: a ENABLE QRESYNC
            ...
            S: a OK
            C: b SELECT INBOX
            ...
            S~ \* OK \[UIDVALIDITY (?P<validity>\d+)\]
            ...
            S~ \* OK \[HIGHESTMODSEQ (?P<modseq>\d+)\]
            ...
            S: b OK
            C: c UID SEARCH RETURN (UPDATE) UNSEEN
            S: * ESEARCH (TAG "c") UID ALL 1:5
            S: c OK
            """
        )
        second.play(
            r"""
            C: a SELECT INBOX
            ...
            S: a OK
            C: b STORE 2,4 +FLAGS.SILENT (\Deleted)
            S: b OK
            C: c EXPUNGE
            ...
            S: c OK
            C: d STORE 1 +FLAGS.SILENT (\Seen)
            S: d OK
            """
        )
        away.play(
            r"""
            C: d CHECK
            S: * ESEARCH (TAG "c") UID REMOVEFROM (0 2,4)
            S: * VANISHED 2,4
            ...
            S: * ESEARCH (TAG "c") UID REMOVEFROM (0 1)
            S: d OK
            C: e SELECT INBOX (QRESYNC ($validity $modseq))
            ...
            S: * VANISHED (EARLIER) 2,4
            S: * 1 FETCH (UID 1 FLAGS (
            S: e OK
            """
        )


@pytest.mark.parametrize("hints", [True, False])
def test_notify_hears_of_the_other_worker(tmp_path: Path, hints: bool) -> None:
    others: list[ImapServer] = []
    make = telling(maildir_store(tmp_path), others)
    with imap_server(make_store=maildir_store(tmp_path)) as first:
        if hints:
            others.append(first)
        with imap_server(make_store=make) as second:

            def poll() -> None:
                for key in [] if hints else list(first.hints.heard):
                    first.hints.publish(key, 0)

            watch = first.play(
                "C: a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName"
                " SubscriptionChange MailboxMetadataChange))\nS: a OK"
            )
            second.deliver(message(1), folder="Sent")
            poll()
            watch.play('S: * STATUS "Sent" (UIDNEXT 2 MESSAGES 1)')
            active = second.play("C: a CREATE Work\nS: a OK")
            poll()
            watch.play('S: * LIST (\\HasNoChildren) "/" "Work"')
            active.play('C: b SETMETADATA Work (/shared/comment "x")\nS: b OK')
            poll()
            watch.play('S: * METADATA "Work" /shared/comment')
            active.play("C: c RENAME Work Job\nS: c OK\nC: d SUBSCRIBE Job\nS: d OK")
            poll()
            watch.play('...\nS~ \\* LIST \\(.*\\) "/" "Job" \\("OLDNAME" \\("Work"\\)\\)')
            second.deliver(message(2), folder="Job")
            poll()
            watch.play('...\nS: * STATUS "Job" (UIDNEXT 2 MESSAGES 1)')
