"""RFC 3502: MULTIAPPEND."""

from tests.support.imap_server import ImapServer


def test_all_or_none(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a APPEND INBOX (\Seen) {3+}
        C: one {3+}
        C: two
        S~ a OK \[APPENDUID \d+ 1:2\] .*
        C: b APPEND INBOX {3+}
        C+ abc {3+}\r\nd\x00f\r\n
        S: b NO [CANNOT]
        C: c STATUS INBOX (MESSAGES UNSEEN)
        S: * STATUS "INBOX" (MESSAGES 2 UNSEEN 1)
        S: c OK
        """
    )


def test_two_spaces_before_the_next_message_as_imapclient_sends_them(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a APPEND INBOX {3+}
        C: one  {3+}
        C: two
        S~ a OK \[APPENDUID \d+ 1:2\] .*
        """
    )
