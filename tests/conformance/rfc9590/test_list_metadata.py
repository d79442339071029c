"""RFC 9590: LIST-METADATA."""

from tests.support.imap_server import ImapServer


def test_entries_with_each_mailbox(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Work/Now
        S: a OK
        C: b SETMETADATA Work/Now (/shared/vendor/x/color "#b71c1c" /private/comment "c")
        S: b OK
        C: c LIST "" Work* RETURN (METADATA (/shared/vendor/x/Color /private/comment) CHILDREN)
        S: * LIST (\NonExistent \HasChildren) "/" "Work"
        S: * LIST (\HasNoChildren) "/" "Work/Now"
        S: * METADATA "Work/Now" (/shared/vendor/x/color "#b71c1c" /private/comment "c")
        S: c OK
        C: d LIST "" Sent RETURN (STATUS (MESSAGES) METADATA (/shared/vendor/x/color))
        S: * LIST
        S: * STATUS "Sent" (MESSAGES 0)
        S: * METADATA "Sent" (/shared/vendor/x/color NIL)
        S: d OK
        C: e LIST "" Sent RETURN (METADATA)
        S: e BAD
        C: f LIST "" Sent RETURN (METADATA ())
        S: f BAD
        """
    )
