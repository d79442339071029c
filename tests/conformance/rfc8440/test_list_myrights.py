"""RFC 8440: LIST-MYRIGHTS."""

from tests.support.imap_server import ImapServer
from tests.support.sharers import BOB, give, share


def test_s3_rights_behind_each_mailbox(imap: ImapServer) -> None:
    give(imap, BOB, "lrs", folder="Sent")
    share(
        imap,
        r"""
        C2: a LIST "" ("Other Users/*" "INBOX") RETURN (MYRIGHTS)
        S2: * LIST (\HasNoChildren) "/" "INBOX"
        S2: * MYRIGHTS "INBOX" lrswipkxteacd
        # RFC 5258 5, example 11: no mere parents of what is listed itself.
        S2: * LIST (\HasNoChildren) "/" "Other Users/ann@example.test/Sent"
        S2: * MYRIGHTS "Other Users/ann@example.test/Sent" lrs
        S2: a OK
        """,
    )


def test_s3_with_other_return_options(imap: ImapServer) -> None:
    give(imap, BOB, "l", folder="Sent")
    give(imap, BOB, "lr", folder="Trash")
    share(
        imap,
        r"""
        C2: a LIST "" "Other Users/%/%" RETURN (MYRIGHTS STATUS (MESSAGES) SUBSCRIBED)
        # RFC 9051 6.3.9.2: what has no STATUS to be told cannot be selected.
        S2: * LIST (\HasNoChildren \Noselect) "/" "Other Users/ann@example.test/Sent"
        S2: * MYRIGHTS "Other Users/ann@example.test/Sent" l
        S2: * LIST (\HasNoChildren) "/" "Other Users/ann@example.test/Trash"
        S2: * STATUS "Other Users/ann@example.test/Trash" (MESSAGES 0)
        S2: * MYRIGHTS "Other Users/ann@example.test/Trash" lr
        S2: a OK
        # RFC 8440 3.1: nothing where there is no mailbox.
        C2: b SUBSCRIBE nowhere
        S2: b OK
        C2: c LIST (SUBSCRIBED) "" nowhere RETURN (MYRIGHTS)
        S2: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" "nowhere"
        S2: c OK
        """,
    )
