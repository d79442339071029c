"""RFC 8970: PREVIEW."""

from tests.support.imap_server import ImapServer, message


def test_preview_does_not_set_seen(imap: ImapServer) -> None:
    imap.deliver(message(1, "Dear friend,\r\nall is well."))
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a FETCH 1 (PREVIEW)
        S~ \* 1 FETCH \(PREVIEW "Dear friend, all is well\.?"\)
        S: a OK
        C: b FETCH 1 (PREVIEW (LAZY) FLAGS)
        S~ \* 1 FETCH \((?=.*PREVIEW ("Dear|NIL))(?!.*Seen).*\)
        S: b OK
        """
    )
