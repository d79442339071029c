"""RFC 3348: CHILDREN."""

from tests.support.imap_server import ImapServer


def test_children_are_told(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Top/Leaf
        S: a OK
        C: b LIST "" Top*
        S~ \* LIST \(.*\\HasChildren\) "/" "Top"
        S: * LIST (\HasNoChildren) "/" "Top/Leaf"
        S: b OK
        C: c DELETE Top/Leaf
        S: c OK
        """
    )
