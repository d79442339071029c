"""RFC 6154: SPECIAL-USE."""

from tests.support.imap_server import ImapServer
from tests.support.sharers import share


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
        S: e NO [USEATTR]
        C: f GETMETADATA INBOX /private/comment
        S: * METADATA "INBOX" (/private/comment NIL)
        S: f OK
        """
    )


def test_s5_4_the_use_is_set_by_the_annotation(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE SavedDrafts
        S: a OK
        # What had it before changes by itself.
        C: b SETMETADATA SavedDrafts (/private/specialuse "\\Drafts")
        S: * METADATA "Drafts" (/private/specialuse NIL)
        S: b OK
        C: c SETMETADATA Sent (/private/specialuse NIL)
        S: c OK
        C: d LIST (SPECIAL-USE) "" *
        S: * LIST (\HasNoChildren \Archive) "/" "Archive"
        S: * LIST (\HasNoChildren \Junk) "/" "Junk"
        S: * LIST (\HasNoChildren \Drafts) "/" "SavedDrafts"
        S: * LIST (\HasNoChildren \Trash) "/" "Trash"
        S: d OK
        C: e LIST "" (Sent Drafts) RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren) "/" "Drafts"
        S: * LIST (\HasNoChildren) "/" "Sent"
        S: e OK
        C: f RENAME SavedDrafts Later
        S: f OK
        C: g GETMETADATA Later /private/specialuse
        S: * METADATA "Later" (/private/specialuse "\\Drafts")
        S: g OK
        C: h SETMETADATA Later (/private/specialuse NIL)
        S: h OK
        C: i SETMETADATA Sent (/private/specialuse "\\sent" /private/comment "s")
        S: i OK
        C: j GETMETADATA (DEPTH infinity) Sent /private
        S: * METADATA "Sent" (/private/comment "s" /private/specialuse "\\Sent")
        S: j OK
        C: k LIST (SPECIAL-USE) "" (Later Drafts)
        S: k OK
        """
    )


def test_s4_what_cannot_be_set_changes_nothing(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a SETMETADATA Sent (/private/comment "x" /private/specialuse "\\All")
        S: a NO [USEATTR]
        C: b SETMETADATA Sent (/private/comment "x" /private/specialuse "\\Junk \\Trash")
        S: b NO [USEATTR]
        C: c SETMETADATA Sent (/private/comment "x" /private/specialuse "")
        S: c NO [USEATTR]
        C: d SETMETADATA Nowhere (/private/comment "x" /private/specialuse "\\Junk")
        S: d NO [NONEXISTENT]
        C: e CREATE Work/Now
        S: e OK
        C: f SETMETADATA Work (/private/comment "x" /private/specialuse "\\Junk")
        S: f NO [NONEXISTENT]
        C: g GETMETADATA Sent (/private/comment /private/specialuse)
        S: * METADATA "Sent" (/private/comment NIL /private/specialuse "\\Sent")
        S: g OK
        C: h GETMETADATA Work /private/comment
        S: * METADATA "Work" (/private/comment NIL)
        S: h OK
        """
    )


def test_s3_a_use_that_is_given_anew_is_taken_from_the_other(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Bin (USE (\Trash))
        S: a OK
        C: b CREATE Bin2 (USE (\Trash))
        S: b OK
        C: c LIST (SPECIAL-USE) "" Bin*
        S: * LIST (\HasNoChildren \Trash) "/" "Bin2"
        S: c OK
        """
    )


def test_s7_not_on_what_others_see_too(imap: ImapServer) -> None:
    share(
        imap,
        r"""
        C1: a CREATE Spam
        S1: a OK
        C1: b SETACL Spam bob@example.test lrswite
        S1: b OK
        C2: c SETMETADATA "Other Users/ann@example.test/Spam" (/private/specialuse "\\Junk")
        S2: c NO [CANNOT]
        C2: d SETMETADATA "Other Users/ann@example.test/Sent" (/private/specialuse "\\Junk")
        S2: d NO [NONEXISTENT]
        C1: e SETMETADATA Spam (/private/specialuse "\\Junk")
        S1: * METADATA "Junk" (/private/specialuse NIL)
        S1: e OK
        """,
    )
