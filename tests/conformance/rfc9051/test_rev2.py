"""RFC 9051: what changes for a client that enabled IMAP4rev2; others see RFC 3501 as before."""

from tests.support.imap_server import ImapServer, message

ENABLE = "C: r ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: r OK\n"
SELECT = ENABLE + "C: s SELECT INBOX\n...\nS: s OK\n"


def test_s6_1_1_both_revisions_and_all_that_rev2_brings_are_named(imap: ImapServer) -> None:
    words = (
        "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL\\+ NAMESPACE UNSELECT IDLE UIDPLUS MOVE ENABLE "
        "SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES"
    )
    all_of_them = "".join(rf"(?=.*\s{word}\s)" for word in words.split())
    imap.play(f"C: a CAPABILITY\nS~ \\* CAPABILITY{all_of_them}\nS: a OK")


def test_s6_3_1_enable_is_answered_by_name(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a ENABLE imap4REV2 X-NONSENSE QRESYNC
        S~ \* ENABLED IMAP4rev2 QRESYNC$
        S: a OK
        """
    )


def test_s6_3_2_select_names_the_mailbox_and_nothing_is_recent(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        ENABLE
        + r"""
        C: a SELECT INBOX
        S: * FLAGS (
        S: * OK [PERMANENTFLAGS
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY
        S: * OK [UIDNEXT 3]
        S: * OK [HIGHESTMODSEQ
        S: * OK [MAILBOXID
        S: * OK [URLMECH INTERNAL]
        S~ \* LIST \(\\HasNoChildren( \\Subscribed)?\) "/" "INBOX"$
        S: a OK [READ-WRITE]
        C: b FETCH 1 FLAGS
        S~ \* 1 FETCH \(FLAGS \(\)\)$
        S: b OK
        C: c EXAMINE inBOX
        S: * OK [CLOSED]
        ...
        S~ \* LIST \(\\HasNoChildren( \\Subscribed)?\) "/" "INBOX" \("OLDNAME" \("inBOX"\)\)$
        S: c OK [READ-ONLY]
        """
    )


def test_s7_3_arrivals_are_told_without_recent(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C2: a APPEND INBOX {1+}
        C2: x
        ...2:
        S2: a OK
        C: a NOOP
        S: * 2 EXISTS
        S: a OK
        C: b STORE 2 +FLAGS (\Deleted)
        S: * 2 FETCH (UID 2 FLAGS (\Deleted))
        S: b OK
        C: c EXPUNGE
        S: * 2 EXPUNGE
        S: c OK
        """
    )


def test_s6_4_4_esearch_answers_every_search(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2), message(3))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH UNSEEN
        S~ \* ESEARCH \(TAG "a"\) ALL 1:3$
        S: a OK
        C: b UID SEARCH SUBJECT "number 2"
        S~ \* ESEARCH \(TAG "b"\) UID ALL 2$
        S: b OK
        C: c SEARCH SEEN
        S~ \* ESEARCH \(TAG "c"\)$
        S: c OK
        C: d SEARCH RETURN (SAVE) 2:3
        S: d OK
        C: e SEARCH RETURN (COUNT MIN) $
        S~ \* ESEARCH \(TAG "e"\) MIN 2 COUNT 2$
        S: e OK
        """
    )


def test_s5_1_names_are_utf8_both_ways(imap: ImapServer) -> None:
    imap.play(
        ENABLE
        + r"""
        C: a CREATE "Büro & Söhne"
        S: a OK
        C: b LIST "" "B*"
        S~ \* LIST \(.*\) "/" "Büro & Söhne"$
        S: b OK
        C: c STATUS "Büro & Söhne" (MESSAGES SIZE DELETED)
        S: * STATUS "Büro & Söhne" (MESSAGES 0 SIZE 0 DELETED 0)
        S: c OK
        C: d LIST "" B% RETURN (STATUS (UNSEEN))
        S~ \* LIST \(.*\) "/" "Büro & Söhne"$
        S: * STATUS "Büro & Söhne" (UNSEEN 0)
        S: d OK
        C: e SUBSCRIBE "Büro & Söhne"
        S: e OK
        C: f CREATE "&-"
        S: f OK
        # The same mailboxes as another client sees them, which did not enable it.
        C2: b LIST "" "B*"
        S2~ \* LIST \(.*\) "/" "B&APw-ro &- S&APY-hne"$
        S2: b OK
        C2: c LSUB "" "B*"
        S2: * LSUB () "/" "B&APw-ro &- S&APY-hne"
        S2: c OK
        C2: d LIST "" "&-*"
        S2~ \* LIST \(.*\) "/" "&--"$
        S2: d OK
        """
    )


def test_s6_3_9_7_a_new_name_is_told_with_the_old(imap: ImapServer) -> None:
    imap.play(
        ENABLE
        + r"""
        C: a CREATE inbox/sub/
        S: * LIST () "/" "INBOX/sub" ("OLDNAME" ("inbox/sub/"))
        S: a OK
        C: b CREATE alt
        S: b OK
        C: c RENAME alt "neü"
        S: * LIST () "/" "neü" ("OLDNAME" ("alt"))
        S: c OK
        C2: a RENAME "ne&APw-" again
        S2: a OK
        """
    )


def test_s6_4_5_binary_parts(imap: ImapServer) -> None:
    imap.deliver(
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    )
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])
        S~ \* 1 FETCH \(BINARY.SIZE\[1\] 5 BINARY\[1\] (\{5\}\r\n|")hello
        S: a OK
        """
    )


def test_rev1_clients_see_no_difference(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a SELECT inbox
        S: * FLAGS
        S: * OK [PERMANENTFLAGS
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * OK [UNSEEN 1]
        S: * OK [UIDVALIDITY
        S: * OK [UIDNEXT
        S: * OK [HIGHESTMODSEQ
        S: * OK [MAILBOXID
        S: * OK [URLMECH INTERNAL]
        S: a OK
        C: b SEARCH ALL
        S~ \* SEARCH 1$
        S: b OK
        C: c FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Recent))
        S: c OK
        """
    )


def test_s6_3_2_select_tells_the_mailboxs_attributes(imap: ImapServer) -> None:
    imap.play(
        ENABLE
        + r"""
        C: a CREATE Drafts/old
        S: a OK
        C: b SELECT Drafts
        ...
        S~ \* LIST \(\\HasChildren( \\Subscribed)? \\Drafts\) "/" "Drafts"$
        ...
        S: b OK
        C: c SELECT inbox
        ...
        S~ \* LIST \(\\HasNoChildren( \\Subscribed)?\) "/" "INBOX" \("OLDNAME" \("inbox"\)\)$
        ...
        S: c OK
        """
    )


def test_s5_1_names_in_any_form_open_the_same_mailbox(imap: ImapServer) -> None:
    composed, split = "é", "e\N{COMBINING ACUTE ACCENT}"
    imap.play(
        ENABLE
        + rf"""
        C: a CREATE "{split}"
        ...
        S: a OK
        C: b SELECT "{split}"
        ...
        S~ \* LIST \(\\HasNoChildren\) "/" "{composed}" \("OLDNAME" \("{split}"\)\)$
        S: b OK
        C: c STATUS "{split}" (MESSAGES)
        S: * STATUS "{composed}" (MESSAGES 0)
        S: c OK
        C: d SUBSCRIBE "{split}"
        S: d OK
        C: e APPEND "{split}" {{12+}}
        C+ Subject: x\r\n\r\n
        S: * 1 EXISTS
        S: e OK
        C: f COPY 1 "{split}"
        S: * 2 EXISTS
        S: f OK
        C: g LIST (SUBSCRIBED) "" "{composed}"
        S: * LIST (\HasNoChildren \Subscribed) "/" "{composed}"
        S: g OK
        C: l LIST "" "{split}*"
        S: * LIST (\HasNoChildren) "/" "{composed}"
        S: l OK
        C: h RENAME "{split}" "x"
        ...
        S: h OK
        # One that has another form from before is found by it.
        C2: a CREATE "e&AwE-"
        S2: a OK
        C: i STATUS "{split}" (MESSAGES)
        S: * STATUS "{split}" (MESSAGES 0)
        S: i OK
        C: j DELETE "{split}"
        S: j OK
        C: k DELETE "{split}"
        S: k NO [NONEXISTENT]
        """
    )


def test_s6_3_4_names_get_normal_form_c(imap: ImapServer) -> None:
    composed, split = "é", "e\N{COMBINING ACUTE ACCENT}"
    imap.play(
        ENABLE
        + rf"""
        C: a CREATE "{split}"
        S: * LIST () "/" "{composed}" ("OLDNAME" ("{split}"))
        S: a OK
        C: b CREATE {composed.encode().decode("latin-1")}x
        S: b BAD
        C: c RENAME "{composed}" "{split}{split}"
        S: * LIST () "/" "{composed}{composed}" ("OLDNAME" ("{composed}"))
        S: c OK
        # Nothing would tell a client without IMAP4rev2 of another name.
        C2: q ENABLE UTF8=ACCEPT
        S2: * ENABLED
        S2: q OK
        C2: a CREATE "{split}"
        S2: a NO [CANNOT]
        C3: a CREATE "e&AwE-"
        S3: a OK
        C3: b SELECT "e&AwE-"
        ...3:
        S3: b OK
        """
    )


def test_s6_3_5_a_name_with_others_below_it_stays(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE up/down
        S: a OK
        C: b DELETE up
        S: b NO [HASCHILDREN]
        C: c DELETE nothing
        S: c NO [NONEXISTENT]
        C: d DELETE up/down
        S: d OK
        C: e DELETE up
        S: e NO [NONEXISTENT]
        """
    )
