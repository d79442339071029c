"""RFC 5258: LIST-EXTENDED."""

from tests.support.imap_server import ImapServer

MADE = r"""
    C: 1 CREATE Fruit/Apple
    S: 1 OK
    C: 2 CREATE Fruit/Pear
    S: 2 OK
    C: 3 CREATE Nut
    S: 3 OK
    C: 4 SUBSCRIBE Fruit/Pear
    S: 4 OK
    C: 5 SUBSCRIBE Gone
    S: 5 OK
"""


def test_selection_by_subscription(imap: ImapServer) -> None:
    imap.play(
        MADE
        + r"""
        C: a LIST (SUBSCRIBED) "" (Fruit/* Nut Gone)
        S: * LIST (\HasNoChildren \Subscribed) "/" "Fruit/Pear"
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" "Gone"
        S: a OK
        """
    )


def test_recursive_match(imap: ImapServer) -> None:
    imap.play(
        MADE
        + r"""
        C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" Fru%
        S~ \* LIST \(.*\\HasChildren\) "/" "Fruit" \(("CHILDINFO"|CHILDINFO) \("SUBSCRIBED"\)\)
        S: a OK
        C: b LIST (RECURSIVEMATCH) "" %
        S: b BAD
        """
    )


def test_return_options(imap: ImapServer) -> None:
    imap.play(
        MADE
        + r"""
        C: a LIST "" (Fruit Nut) RETURN (CHILDREN SUBSCRIBED)
        S~ \* LIST \(.*\\HasChildren\) "/" "Fruit"
        S: * LIST (\HasNoChildren) "/" "Nut"
        S: a OK
        C: b LIST "" "Fruit/%" RETURN (SUBSCRIBED)
        S: * LIST (\HasNoChildren) "/" "Fruit/Apple"
        S: * LIST (\HasNoChildren \Subscribed) "/" "Fruit/Pear"
        S: b OK
        C: c LIST (NONSENSE) "" *
        S: c BAD
        """
    )
