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


def made(*names: str) -> str:
    return "".join(f"C: m CREATE {name}\nS: m OK\n" for name in names)


def subscribed(*names: str) -> str:
    return "".join(f"C: m SUBSCRIBE {name}\nS: m OK\n" for name in names)


def test_s3_5_child_info_that_tells_nothing_new_is_left_out(imap: ImapServer) -> None:
    """Example 9: all subscribed children of baz2 and qux2 are listed themselves."""
    imap.play(
        made("foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "qux2/bar2")
        + made("foo2", "eps2", "eps2/mamba")
        + subscribed("foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "eps2", "eps2/mamba")
        + subscribed("qux2/bar2")
        + r"""
        C: a LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"
        S~ \* LIST \([^)]*\\Subscribed\) "/" "baz2/bar2"$
        S~ \* LIST \([^)]*\\Subscribed\) "/" "baz2/bar22"$
        S~ \* LIST \([^)]*\\Subscribed\) "/" "eps2" \("CHILDINFO" \("SUBSCRIBED"\)\)$
        S~ \* LIST \(\\HasChildren\) "/" "foo2" \("CHILDINFO" \("SUBSCRIBED"\)\)$
        S~ \* LIST \([^)]*\\Subscribed\) "/" "foo2/bar2"$
        S~ \* LIST \([^)]*\\Subscribed\) "/" "qux2/bar2"$
        S: a OK
        """
    )


def test_s5_a_subscription_below_is_no_child(imap: ImapServer) -> None:
    """Example 10."""
    imap.play(
        made("foo")
        + subscribed("foo/bar")
        + r"""
        C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "/" "foo" ("CHILDINFO" ("SUBSCRIBED"))
        S: a OK
        """
    )


def test_s3_a_name_that_does_not_exist_is_listed_for_its_children_only(imap: ImapServer) -> None:
    """Example 11."""
    imap.play(
        made("music/rock", "music/jazz/cool")
        + r"""
        C: a LIST () "" mus%
        S: * LIST (\NonExistent \HasChildren) "/" "music"
        S: a OK
        C: b LIST "" (mus% music/rock)
        S: * LIST (\NonExistent \HasChildren) "/" "music"
        S: * LIST (\HasNoChildren) "/" "music/rock"
        S: b OK
        C: c LIST "" (mus% music/rock music/jazz/cool)
        S: * LIST (\HasNoChildren) "/" "music/jazz/cool"
        S: * LIST (\HasNoChildren) "/" "music/rock"
        S: c OK
        C: d LIST "" music*
        S: * LIST (\Noselect \HasChildren) "/" "music"
        ...
        S: d OK
        """
    )
