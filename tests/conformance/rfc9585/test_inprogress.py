"""RFC 9585: INPROGRESS."""

import pytest

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


@pytest.fixture
def slow(imap: ImapServer, monkeypatch: pytest.MonkeyPatch) -> ImapServer:
    """A mailbox in which every search counts as long."""
    monkeypatch.setattr("mailnode.access.imap.session.PROGRESS_S", 0.0)
    imap.deliver(*(message(n) for n in range(1, 60)))
    return imap


def test_long_commands_say_that_they_go_on(slow: ImapServer) -> None:
    slow.play(
        SELECT
        + r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .*\bINPROGRESS\b
        S: c OK
        C: a SEARCH BODY hello
        S: * OK [INPROGRESS ("a" NIL NIL)]
        ...
        S: * SEARCH 1 2 3
        S: a OK
        """
    )


def test_short_ones_do_not(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 60)))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH BODY hello
        S: * SEARCH 1 2 3
        S: a OK
        """
    )


def test_s4_a_tag_that_would_end_the_code_is_left_out(slow: ImapServer) -> None:
    slow.play(
        SELECT
        + r"""
        C: a]b SEARCH BODY hello
        S: * OK [INPROGRESS (NIL NIL NIL)]
        ...
        S: a]b OK
        """
    )
