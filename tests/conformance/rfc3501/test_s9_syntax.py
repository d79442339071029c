"""RFC 3501 4 and 9: what is a command, and what is none."""

import pytest

from tests.support.imap_server import ImapServer, message


@pytest.fixture
def three(imap: ImapServer) -> ImapServer:
    imap.deliver(message(1), message(2), message(3))
    return imap


def test_s9_words_are_parted_by_one_blank(three: ImapServer) -> None:
    """Blanks behind the last word are passed over: clients send them, and they mean nothing."""
    three.play(
        r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b  FETCH 1 FLAGS
        S: b BAD
        C: c FETCH  1 FLAGS
        S: c BAD
        C: d FETCH 1  FLAGS
        S: d BAD
        C+ e FETCH 1\tFLAGS\r\n
        S: e BAD
        C: f FETCH 1 (FLAGS  UID)
        S: f BAD
        C: g FETCH 1 ( FLAGS)
        S: g BAD
        C+ h NOOP\x00\r\n
        S: h BAD
        C: i STATUS INBOX(MESSAGES)
        S: i BAD
        C+ j NOOP  \r\n
        S: j OK
        """
    )


def test_s9_letters_are_of_any_case(three: ImapServer) -> None:
    three.play(
        r"""
        C: a sElEcT iNbOx
        ...
        S: a OK [READ-WRITE]
        C: b uid fetch 1 (fLaGs bOdY.pEeK[hEaDeR.fIeLdS (sUbJeCt)])
        S~ \* 1 FETCH \(UID 1 FLAGS .* BODY\[HEADER\.FIELDS \(sUbJeCt\)\] \{21\}\r\nSubject: num
        S: b OK
        C: c store 1 +flags.silent (\sEEN)
        S: c OK
        C: d search charset utf-8 seen or from ANN not sentsince 1-jan-2026
        S: * SEARCH 1
        S: d OK
        C: e status inbox (messages Unseen)
        S: * STATUS "INBOX" (MESSAGES 3 UNSEEN 2)
        S: e OK
        """
    )


def test_s9_tags(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a]-.1 NOOP
        S: a]-.1 OK
        C: +a NOOP
        S: * BAD
        C: (a NOOP
        S: * BAD
        C+ \r\n
        S: * BAD
        C: a
        S: a BAD
        C: a*b NOOP
        S: a BAD
        C: b NOOP
        S: b OK
        """
    )


def test_s4_3_strings_stand_wherever_an_astring_does(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE {5}
        S: +
        C: x "y\
        S: a OK
        C: b STATUS "x \"y\\" (MESSAGES)
        S~ \* STATUS "x \\"y\\\\" \(MESSAGES 0\)
        S: b OK
        C: c RENAME "x \"y\\" {3}
        S: +
        C: a]b
        S: c OK
        C: d STATUS a]b (MESSAGES)
        S: * STATUS "a]b" (MESSAGES 0)
        S: d OK
        C: e SELECT "a\b"
        S: e BAD
        C: f SELECT "a
        S: f BAD
        C: g SELECT a"b
        S: g BAD
        C: h SELECT {1}
        S: +
        C: abc
        S: h BAD
        C: i LOGIN {5}
        S: +
        C: user1 {6}
        S: +
        C: secret
        S: i BAD
        """
    )


def test_s2_2_1_what_is_wrong_is_said_before_the_literal_comes(imap: ImapServer) -> None:
    """RFC 3501 7.5 has this very example."""
    imap.play(
        r"""
        C: A044 BLURDYBLOOP {102856}
        S: A044 BAD
        C: b NOOP
        S: b OK
        C: c UID LIST {4}
        S: +
        C: abcd
        S: c BAD
        C: d UID {4}
        S: d BAD
        C: e BLURDYBLOOP {4+}
        C: abcd
        S: e BAD
        C: f NOOP
        S: f OK
        """
    )


def test_s6_5_experimental_commands_are_unknown(imap: ImapServer) -> None:
    imap.play("C: a XFOO\nS: a BAD\nC: b X\nS: b BAD")


def test_s9_items_of_fetch(three: ImapServer) -> None:
    wrong = [
        "()", "(ALL)", "FLAGS UID", "BODY[]<0.0>", "BODY[]<0>", "BODY[0]", "BODY[MIME]",
        "BODY[TEXT.1]", "BODY[HEADER.FIELDS ()]", "BODY[HEADER.FIELDS]", "BODY[1.]",
        "BODY[HEADER.FIELDS.NOT (A)", "RFC822.PEEK", "RFC822[1]", "ENVELOPE[]", "BODY.PEEK",
    ]  # fmt: skip
    dialog = three.play("C: a EXAMINE INBOX\n...\nS: a OK")
    for item in wrong:
        dialog.play(f"C: b FETCH 1 {item}\nS: b BAD")
    dialog.play(
        r"""
        C: c FETCH 1 (BODY[]<0.4> BODY[1.MIME] BODY[TEXT]<3.9> BODY[1]<900.5> BODY[2] RFC822.SIZE)
        S~ \* 1 FETCH \(.*BODY\[\]<0> \{4\}\r\nFrom BODY\[1\.MIME\] \{\d+\}\r\nFrom
        S: c OK
        C: d FETCH 1 (BODY[TEXT]<3.9> BODY[1]<900.5> BODY[2] BODY[1.HEADER] BODY[1.1])
        S~ .* BODY\[1\]<900> (\{0\}\r\n|"") BODY\[2\] NIL BODY\[1\.HEADER\] NIL BODY\[1\.1\] NIL\)
        S: d OK
        """
    )


def test_s9_sets_of_numbers(three: ImapServer) -> None:
    dialog = three.play("C: a EXAMINE INBOX\n...\nS: a OK")
    for numbers in ("0", "4294967296", "4", "2:4", "1:", ":1", "1,", ",1", "1;2", "**", "-1", "$1"):
        dialog.play(f"C: b FETCH {numbers} UID\nS: b BAD")
    for numbers in ("*:2,3:1", "1,2,3,2,1", "1:*", "3:1", "2,1:*"):
        dialog.play(
            f"""
            C: c FETCH {numbers} UID
            S: * 1 FETCH (UID 1)
            S: * 2 FETCH (UID 2)
            S: * 3 FETCH (UID 3)
            S: c OK
            """
        )
    dialog.play(
        r"""
        C: d UID FETCH 4294967295 UID
        S: d OK
        C: e UID FETCH 4294967295:* UID
        S: * 3 FETCH (UID 3)
        S: e OK
        C: f UID FETCH 0 UID
        S: f BAD
        """
    )


def test_s9_star_in_an_empty_mailbox(imap: ImapServer) -> None:
    """Of message numbers it is beyond the last, of UIDs it is UIDNEXT, which nobody has."""
    imap.play(
        r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b FETCH * FLAGS
        S: b BAD
        C: c FETCH 1:* FLAGS
        S: c BAD
        C: d UID FETCH * FLAGS
        S: d OK
        C: e UID STORE 1:* +FLAGS (\Seen)
        S: e OK
        C: f UID SEARCH UID 1:*
        S~ \* SEARCH$
        S: f OK
        C: g UID COPY 1:* Sent
        S: g OK
        """
    )


def test_s9_flags(three: ImapServer) -> None:
    dialog = three.play("C: a SELECT INBOX\n...\nS: a OK")
    for flags in (r"\*", r"(\*)", r"(\Foo)", "a%b", "(a]b)", '"a"', "(a  b)", "", "((a))"):
        dialog.play(f"C: b STORE 1 FLAGS {flags}\nS: b BAD")
        dialog.play(f"C: c APPEND INBOX ({flags.strip('()')} ) {{3+}}\nC: a:b\nS: c BAD")
    dialog.play(
        r"""
        C: d STORE 1 FLAGS \Seen \Flagged
        S: * 1 FETCH (UID 1 FLAGS (\Flagged \Seen
        S: d OK
        C: e STORE 1 FLAGS ()
        S~ \* 1 FETCH \(UID 1 FLAGS \((\\Recent)?\)\)
        S: e OK
        # Clients send back what they were told: what they may not set stays as it is (2.3.2).
        C: f STORE 1 +FLAGS (\Recent \Draft)
        S: * 1 FETCH (UID 1 FLAGS (\Draft
        S: f OK
        """
    )


def test_s9_dates(three: ImapServer) -> None:
    dialog = three.play("C: a EXAMINE INBOX\n...\nS: a OK")
    for day in ("1-Jan-26", "31-Feb-2026", "001-Jan-2026", "1-Foo-2026", '"1-Jan-2026', "1/1/2026"):
        dialog.play(f"C: b SEARCH SENTSINCE {day}\nS: b BAD")
    for day in ("1-Jan-2026", '"1-Jan-2026"', "01-jan-2026"):
        dialog.play(f"C: c SEARCH SENTSINCE {day}\nS: * SEARCH 1 2 3\nS: c OK")
    for at in (
        '"24-Nov-2026 00:00:00"', '"24-Nov-2026 00:00:00 UT"', '"24-Nov-2026 24:00:00 +0000"',
        '"24-Nov-2026 00:00:00 +0060"', '"29-Feb-2023 00:00:00 +0000"', "24-Nov-2026",
    ):  # fmt: skip
        dialog.play(f"C: d APPEND Sent {at} {{3+}}\nC: a:b\nS: d BAD")


def test_s9_words_of_status_and_list(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a STATUS INBOX ()
        S: a BAD
        C: b STATUS INBOX MESSAGES
        S: b BAD
        C: c STATUS INBOX (NONSENSE)
        S: c BAD
        C: d LIST ""
        S: d BAD
        C: e LIST "" "" ""
        S: e BAD
        C: f LSUB (SUBSCRIBED) "" *
        S: f BAD
        C: g LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: g OK
        C: h LIST "" iNbOx
        S: * LIST (\HasNoChildren) "/" "INBOX"
        S: h OK
        """
    )
