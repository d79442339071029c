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


def test_s4_the_use_is_an_annotation_too(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a GETMETADATA Drafts /private/specialuse
        S: * METADATA "Drafts" (/private/specialuse "\\Drafts")
        S: a OK
        C: b GETMETADATA (DEPTH infinity) Sent /private
        S: * METADATA "Sent" (/private/specialuse "\\Sent")
        S: b OK
        C: c GETMETADATA INBOX (/private/specialuse)
        S: * METADATA "INBOX" (/private/specialuse NIL)
        S: c OK
        C: d LIST "" (INBOX Junk) RETURN (METADATA (/private/specialuse))
        S: * LIST
        S: * METADATA "INBOX" (/private/specialuse NIL)
        S: * LIST
        S: * METADATA "Junk" (/private/specialuse "\\Junk")
        S: d OK
        C: e SETMETADATA INBOX (/private/specialuse "\\Drafts" /private/comment "x")
        S: e NO [CANNOT]
        C: f GETMETADATA INBOX /private/comment
        S: * METADATA "INBOX" (/private/comment NIL)
        S: f OK
        """
    )
