"""RFC 5819: LIST-STATUS."""

from tests.support.imap_server import ImapServer, message


def test_status_follows_each_list_line(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a LIST "" (INBOX Sent) RETURN (STATUS (MESSAGES UNSEEN))
        S~ \* LIST \(.*\) "/" "INBOX"
        S: * STATUS "INBOX" (MESSAGES 1 UNSEEN 1)
        S~ \* LIST \(.*\) "/" "Sent"
        S: * STATUS "Sent" (MESSAGES 0 UNSEEN 0)
        S: a OK
        """
    )


def test_none_for_what_cannot_be_selected(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a SUBSCRIBE Gone
        S: a OK
        C: b LIST (SUBSCRIBED) "" Gone RETURN (STATUS (MESSAGES))
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" "Gone"
        S: b OK
        """
    )


def test_s3_none_for_what_is_listed_for_its_children(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE foo
        S: a OK
        C: b CREATE foo/kid
        S: b OK
        C: c SUBSCRIBE foo/kid
        S: c OK
        C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" f% RETURN (STATUS (MESSAGES) MYRIGHTS)
        S: * LIST (\HasChildren) "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))
        S: d OK
        C: e SUBSCRIBE foo
        S: e OK
        C: f LIST (SUBSCRIBED RECURSIVEMATCH) "" f% RETURN (STATUS (MESSAGES))
        S: * LIST (\HasChildren \Subscribed) "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))
        S: * STATUS "foo" (MESSAGES 0)
        S: f OK
        """
    )
