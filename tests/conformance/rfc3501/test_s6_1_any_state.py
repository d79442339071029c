"""RFC 3501 6.1: commands legal in any state; 3: the states themselves."""

from tests.support.imap_server import ImapServer, message


def test_capability_says_what_works(imap: ImapServer) -> None:
    imap.dialog().play(
        r"""
        S~ \* OK \[CAPABILITY IMAP4rev1 [^]]*AUTH=PLAIN AUTH=LOGIN\] .*
        C: a CAPABILITY
        S~ \* CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL\+ ID NAMESPACE UNSELECT CHILDREN .*
        S: a OK
        C: b LOGIN user1 secret
        S~ b OK \[CAPABILITY IMAP4rev1 (?!.*(AUTH=|STARTTLS|LOGINDISABLED)).*\] .*
        """
    )


def test_noop_tells_news(imap: ImapServer) -> None:
    dialog = imap.play("C: a SELECT INBOX\n...\nS: a OK")
    imap.deliver(b"Subject: x\r\n\r\nbody\r\n")
    dialog.play("C: b NOOP\nS: * 1 EXISTS\nS: * 1 RECENT\nS: b OK")


def test_logout_says_bye_and_closes(imap: ImapServer) -> None:
    imap.play("C: a LOGOUT\nS: * BYE\nS: a OK\nCLOSED:")


def test_commands_out_of_their_state_are_bad(imap: ImapServer) -> None:
    imap.dialog().play(
        """
        S: * OK
        C: a SELECT INBOX
        S: a BAD
        C: b FETCH 1 FLAGS
        S: b BAD
        C: c LOGIN user1 secret
        S: c OK
        C: d LOGIN user1 secret
        S: d BAD
        C: e FETCH 1 FLAGS
        S: e BAD
        C: f STARTTLS
        S: f BAD
        """
    )


def test_syntax_errors_are_bad_and_the_next_command_runs(imap: ImapServer) -> None:
    imap.play(
        """
        C: a FROBNICATE
        S: a BAD
        C: b SELECT
        S: b BAD
        C:
        S: * BAD
        C: d NOOP
        S: d OK
        """
    )


def test_too_many_wrong_commands_end_the_connection(imap: ImapServer) -> None:
    dialog = imap.play("C: a NOOP\nS: a OK")
    for number in range(imap.settings.max_bad_commands):
        dialog.play(f"C: x{number} WRONG\nS: x{number} BAD")
    dialog.play("S: * BYE\nCLOSED:")


def test_line_too_long(imap: ImapServer) -> None:
    dialog = imap.dialog()
    dialog.client().send(b"a LOGIN " + b"x" * 100_000)
    dialog.play("S: * OK\nS: a BAD")
    dialog.client().send(b"y" * 1000 + b"\r\n")
    dialog.play("C: b NOOP\nS: b OK")


def test_s5_3_nothing_is_said_while_no_command_runs(imap: ImapServer) -> None:
    """RFC 3501 7.4.1: no EXPUNGE, above all; nor while a literal is waited for."""
    imap.deliver(message(1), message(2))
    imap.play(
        r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STORE 1 +FLAGS.SILENT (\Deleted)
        S: b OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b EXPUNGE
        S2: * 1 EXPUNGE
        S2: b OK
        NOTHING:
        C: c STATUS {5}
        S: +
        NOTHING:
        C: INBOX (MESSAGES)
        ...
        S: * 1 EXPUNGE
        ...
        S: c OK
        """
    )
