"""RFC 2177: IDLE."""

from tests.support.imap_server import ImapServer, message

IDLING = """
    C: a SELECT INBOX
    ...
    S: a OK
    C: b IDLE
    S: +
"""


def test_arrivals_are_pushed(imap: ImapServer) -> None:
    dialog = imap.play(IDLING + "NOTHING:")
    imap.deliver(message(1))
    dialog.play("S: * 1 EXISTS\nS: * 1 RECENT")
    imap.deliver(message(2))
    dialog.play("S: * 2 EXISTS\n...\nC: DONE\nS: b OK\nC: c NOOP\nS: c OK")


def test_changes_of_other_sessions_are_pushed(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        IDLING
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Deleted.*\)\)
        C2: c EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: c OK
        S: * 1 EXPUNGE
        C: done
        ...
        S: b OK
        """
    )


def test_news_before_idle_come_first(imap: ImapServer) -> None:
    dialog = imap.play("C: a SELECT INBOX\n...\nS: a OK")
    imap.deliver(message(1))
    dialog.play("C: b IDLE\nS: * 1 EXISTS\nS: * 1 RECENT\nS: +\nC: DONE\nS: b OK")


def test_idle_without_a_mailbox(imap: ImapServer) -> None:
    imap.play("C: a IDLE\nS: +\nC: DONE\nS: a OK\nC: b NOOP\nS: b OK")


def test_anything_but_done_ends_it_badly(imap: ImapServer) -> None:
    imap.play("C: a IDLE\nS: +\nC: b NOOP\nS: a BAD\nC: c NOOP\nS: c OK")


def test_done_in_the_same_packet(imap: ImapServer) -> None:
    imap.play("C+ a IDLE\\r\\nDONE\\r\\nb NOOP\\r\\n\nS: +\nS: a OK\nS: b OK")


def test_an_idling_session_ends_with_the_server(imap: ImapServer) -> None:
    dialog = imap.play(IDLING)
    imap.thread.run(imap.service.drain(2.0))
    dialog.play("S: * BYE [UNAVAILABLE]\nCLOSED:")
