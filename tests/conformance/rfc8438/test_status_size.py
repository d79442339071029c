"""RFC 8438: STATUS=SIZE."""

from tests.support.imap_server import ImapServer, message


def test_size_is_the_sum(imap: ImapServer) -> None:
    one, two = message(1), message(2, "longer body")
    imap.deliver(one, two)
    imap.play(
        f"""
        C: a STATUS INBOX (SIZE)
        S: * STATUS "INBOX" (SIZE {len(one) + len(two)})
        S: a OK
        """
    )
