"""RFC 7377: MULTISEARCH, the ESEARCH command."""

from tests.support.imap_server import ImapServer, message

MADE = r"""
    C: m1 CREATE work
    S: m1 OK
    C: m2 CREATE work/a
    S: m2 OK
    C: m3 CREATE work/a/b
    S: m3 OK
    C: m4 SUBSCRIBE work/a
    S: m4 OK
"""


def fill(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2), message(12))
    imap.play(MADE)
    imap.deliver(message(1), folder="work")
    imap.deliver(message(3), message(1), folder="work/a")
    imap.deliver(message(12), folder="work/a/b")


def test_s2_1_mailboxes_by_name(imap: ImapServer) -> None:
    fill(imap)
    imap.play(
        r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .*\bMULTISEARCH\b
        S: c OK
        C: a ESEARCH IN (mailboxes ("INBOX" "work/a" "none") mailboxes Trash) SUBJECT "number 1"
        S~ \* ESEARCH \(TAG "a" MAILBOX "INBOX" UIDVALIDITY \d+\) UID ALL 1,3$
        S~ \* ESEARCH \(TAG "a" MAILBOX "work/a" UIDVALIDITY \d+\) UID ALL 2$
        S: a OK
        C: b ESEARCH IN (mailboxes Trash) RETURN (COUNT) ALL
        S: b OK
        """
    )


def test_s2_2_sources(imap: ImapServer) -> None:
    fill(imap)
    imap.play(
        r"""
        C: a ESEARCH IN (subtree "work") RETURN (COUNT MIN) ALL
        S~ \* ESEARCH \(TAG "a" MAILBOX "work" UIDVALIDITY \d+\) UID MIN 1 COUNT 1$
        S~ \* ESEARCH \(TAG "a" MAILBOX "work/a" UIDVALIDITY \d+\) UID MIN 1 COUNT 2$
        S~ \* ESEARCH \(TAG "a" MAILBOX "work/a/b" UIDVALIDITY \d+\) UID MIN 1 COUNT 1$
        S: a OK
        C: b ESEARCH IN (subtree-one "work") RETURN (COUNT) ALL
        S: * ESEARCH (TAG "b" MAILBOX "work" UIDVALIDITY
        S: * ESEARCH (TAG "b" MAILBOX "work/a" UIDVALIDITY
        S: b OK
        C: d ESEARCH IN (subscribed) RETURN (COUNT) ALL
        ...
        S: * ESEARCH (TAG "d" MAILBOX "work/a" UIDVALIDITY
        S: d OK
        C: e ESEARCH IN (personal) RETURN (COUNT) UNSEEN
        S: * ESEARCH (TAG "e" MAILBOX "INBOX" UIDVALIDITY
        S: * ESEARCH (TAG "e" MAILBOX "work" UIDVALIDITY
        S: * ESEARCH (TAG "e" MAILBOX "work/a" UIDVALIDITY
        S: * ESEARCH (TAG "e" MAILBOX "work/a/b" UIDVALIDITY
        S: e OK
        C: f ESEARCH IN (inboxes) RETURN (COUNT) SUBJECT 2
        S: * ESEARCH (TAG "f" MAILBOX "INBOX" UIDVALIDITY
        ...
        S: f OK
        """
    )


def test_s2_2_the_selected_mailbox(imap: ImapServer) -> None:
    fill(imap)
    imap.play(
        r"""
        C: a ESEARCH UNSEEN
        S: a BAD
        C: b ESEARCH IN (selected) UNSEEN
        S: b BAD
        C: s SELECT work/a
        ...
        S: s OK
        C: d ESEARCH UNSEEN
        S~ \* ESEARCH \(TAG "d" MAILBOX "work/a" UIDVALIDITY \d+\) UID ALL 1:2$
        S: d OK
        C: e ESEARCH IN (selected mailboxes "work/a/b") RETURN (ALL) NOT SEEN
        S~ \* ESEARCH \(TAG "e" MAILBOX "work/a" UIDVALIDITY \d+\) UID ALL 1:2$
        S~ \* ESEARCH \(TAG "e" MAILBOX "work/a/b" UIDVALIDITY \d+\) UID ALL 1$
        S: e OK
        C: f ESEARCH RETURN (SAVE) 2
        S: f OK
        C: g SEARCH RETURN (ALL) $
        S: * ESEARCH (TAG "g") ALL 2
        S: g OK
        """
    )


def test_what_is_wrong_is_refused(imap: ImapServer) -> None:
    fill(imap)
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a ESEARCH IN (personal) RETURN (SAVE) ALL
        S: a BAD
        C: b ESEARCH IN (personal) 1:3
        S: b BAD
        C: c ESEARCH IN () ALL
        S: c BAD
        C: d ESEARCH IN (nowhere) ALL
        S: d BAD
        C: e ESEARCH IN (mailboxes) ALL
        S: e BAD
        C: f ESEARCH IN (personal) RETURN (UPDATE COUNT) SUBJECT 3
        S: * ESEARCH (TAG "f" MAILBOX "work/a"
        S: f OK
        C: f ESEARCH IN (personal) RETURN (UPDATE COUNT) SUBJECT 3
        S: f BAD
        C: k ESEARCH IN (mailboxes "work/a") RETURN (UPDATE COUNT) SUBJECT 3
        S: * ESEARCH (TAG "k" MAILBOX "work/a"
        S: * NO [NOUPDATE "k"]
        S: k OK
        C: g UID ESEARCH ALL
        S: g BAD
        """
    )


def test_names_are_spelt_as_the_client_reads_them(imap: ImapServer) -> None:
    imap.play("C: a CREATE B&APw-ro\nS: a OK")
    imap.deliver(message(1), folder="Büro")
    imap.play(
        r"""
        C: a ESEARCH IN (mailboxes "B&APw-ro") ALL
        S: * ESEARCH (TAG "a" MAILBOX "B&APw-ro" UIDVALIDITY
        S: a OK
        C: r ENABLE IMAP4rev2
        ...
        S: r OK
        C: b ESEARCH IN (mailboxes "Büro") ALL
        S: * ESEARCH (TAG "b" MAILBOX "Büro" UIDVALIDITY
        S: b OK
        """
    )


def test_s2_2_names_in_any_form_of_unicode(imap: ImapServer) -> None:
    composed, split = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    imap.play(
        rf"""
        C: q ENABLE IMAP4rev2
        S: * ENABLED
        S: q OK
        C: a CREATE "{composed}"
        S: a OK
        C: b CREATE "{composed}/x"
        S: b OK
        """
    )
    imap.deliver(message(1), folder=composed)
    imap.deliver(message(2), folder=f"{composed}/x")
    imap.play(
        rf"""
        C: q ENABLE IMAP4rev2
        S: * ENABLED
        S: q OK
        C: a ESEARCH IN (mailboxes "{split}") RETURN (COUNT) ALL
        S: * ESEARCH (TAG "a" MAILBOX "{composed}" UIDVALIDITY
        S: a OK
        C: b ESEARCH IN (subtree "{split}") RETURN (COUNT) ALL
        S: * ESEARCH (TAG "b" MAILBOX "{composed}" UIDVALIDITY
        S: * ESEARCH (TAG "b" MAILBOX "{composed}/x" UIDVALIDITY
        S: b OK
        C: c ESEARCH IN (subtree-one ("none" "{split}")) RETURN (COUNT) SUBJECT "number 2"
        S: * ESEARCH (TAG "c" MAILBOX "{composed}/x" UIDVALIDITY
        S: c OK
        # One that has another form from before is found by it.
        C2: a CREATE "cafe&AwE-"
        S2: a OK
        C: d ESEARCH IN (mailboxes "{split}") RETURN (COUNT) ALL
        S: d OK
        """
    )
