"""RFC 6154: SPECIAL-USE."""

from tests.support.imap_server import ImapServer


def test_usual_folders_have_their_use(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a LIST (SPECIAL-USE) "" *
        S: * LIST (\HasNoChildren \Archive) "/" "Archive"
        S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
        S: * LIST (\HasNoChildren \Junk) "/" "Junk"
        S: * LIST (\HasNoChildren \Sent) "/" "Sent"
        S: * LIST (\HasNoChildren \Trash) "/" "Trash"
        S: a OK
        C: b LIST "" Sent RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren \Sent) "/" "Sent"
        S: b OK
        """
    )


def test_create_with_a_use(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Bin (USE (\Trash))
        S: a OK
        C: b LIST (SPECIAL-USE) "" Bin
        S: * LIST (\HasNoChildren \Trash) "/" "Bin"
        S: b OK
        C: c CREATE Everything (USE (\All))
        S: c NO [USEATTR]
        """
    )
