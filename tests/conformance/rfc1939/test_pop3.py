"""RFC 1939: the states, and each command with what it refuses."""

import pytest

from tests.support.pop3_server import Pop3Server

ONE = b"Subject: one\r\n\r\nfirst\r\n.dot\r\n..\r\nlast\r\n"
TWO = b"Subject: two\r\n\r\n"


def test_s3_and_s4_authorization(pop3: Pop3Server) -> None:
    pop3.dialog().play("""
        S: +OK
        C: STAT
        S: -ERR
        C: NOSUCH
        S: -ERR unknown command
        C:
        S: -ERR
        C: PASS secret
        S: -ERR
        C: user user1
        S: +OK
        C: pass wrong
        S: -ERR
        # A refused password forgets the user.
        C: PASS secret
        S: -ERR
        C: USER user1
        S: +OK
        C: PASS secret
        S: +OK
        C: USER user1
        S: -ERR
        C: QUIT
        S: +OK
        CLOSED:
        """)


def test_s4_quit_before_login(pop3: Pop3Server) -> None:
    pop3.dialog().play("S: +OK\nC: QUIT\nS: +OK\nCLOSED:")


def test_s5_stat_and_list(pop3: Pop3Server) -> None:
    pop3.deliver(ONE, TWO)
    pop3.play(f"""
        C: STAT
        S: +OK 2 {len(ONE) + len(TWO)}
        C: LIST
        S: +OK
        S: 1 {len(ONE)}
        S: 2 {len(TWO)}
        S~ \\.$
        C: LIST 2
        S: +OK 2 {len(TWO)}
        C: LIST 3
        S: -ERR
        C: LIST 0
        S: -ERR
        C: LIST x
        S: -ERR
        C: LIST -1
        S: -ERR
        C: STAT 1
        S: -ERR
        C: NOOP
        S: +OK
        """)


def test_s5_empty_maildrop(pop3: Pop3Server) -> None:
    pop3.play("""
        C: STAT
        S: +OK 0 0
        C: LIST
        S: +OK
        S~ \\.$
        C: UIDL
        S: +OK
        S~ \\.$
        C: RETR 1
        S: -ERR
        """)


def test_s5_retr(pop3: Pop3Server) -> None:
    pop3.deliver(ONE, TWO)
    pop3.play(f"""
        C: RETR 1
        S: +OK {len(ONE)} octets
        S: Subject: one
        S~ $
        S: first
        S~ \\.\\.dot$
        S~ \\.\\.\\.$
        S: last
        S~ \\.$
        C: RETR
        S: -ERR
        C: RETR 1 2
        S: -ERR
        C: RETR 99999999999999999999
        S: -ERR
        """)


def test_s5_dele_and_rset(pop3: Pop3Server) -> None:
    pop3.deliver(ONE, TWO)
    pop3.play(f"""
        C: DELE 1
        S: +OK
        C: DELE 1
        S: -ERR
        C: RETR 1
        S: -ERR
        C: LIST 1
        S: -ERR
        C: STAT
        S: +OK 1 {len(TWO)}
        C: LIST
        S: +OK
        S: 2 {len(TWO)}
        S~ \\.$
        C: RSET
        S: +OK
        C: STAT
        S: +OK 2
        C: QUIT
        S: +OK
        CLOSED:
        """)
    assert len(pop3.uids()) == 2


def test_s6_quit_removes(pop3: Pop3Server) -> None:
    first, second = pop3.deliver(ONE, TWO)
    pop3.play("C: DELE 1\nS: +OK\nC: QUIT\nS: +OK\nCLOSED:")
    assert pop3.uids() == [second]
    assert first != second


def test_s6_a_dropped_connection_deletes_nothing(pop3: Pop3Server) -> None:
    kept = pop3.deliver(ONE, TWO)
    pop3.play("C: DELE 1\nS: +OK").close()
    pop3.play("C2: STAT\nS2: +OK 2")
    assert pop3.uids() == kept


@pytest.mark.parametrize(("lines", "shown"), [(0, ""), (1, "S: first"), (2, "S: first\nS: ..dot")])
def test_s7_top(pop3: Pop3Server, lines: int, shown: str) -> None:
    pop3.deliver(ONE)
    pop3.play(f"C: TOP 1 {lines}\nS: +OK\nS: Subject: one\nS~ $\n{shown}\nS~ \\.$")
    pop3.play("C: TOP 1\nS: -ERR\nC: TOP 1 -1\nS: -ERR\nC: TOP 2 1\nS: -ERR")


def test_s7_uidl_is_dovecots_and_stays(pop3: Pop3Server) -> None:
    first, second = pop3.deliver(ONE, TWO)
    folder = pop3.inbox()
    validity = folder.refresh().uidvalidity
    folder.close()
    names = [f"{uid:08X}{validity:08X}" for uid in (first, second)]
    pop3.play(
        f"C: UIDL\nS: +OK\nS: 1 {names[0]}\nS: 2 {names[1]}\nS~ \\.$\nC: DELE 1\nS: +OK\n"
        "C: QUIT\nS: +OK\nCLOSED:"
    )
    pop3.play(f"C: UIDL 1\nS: +OK 1 {names[1]}\nC: UIDL 2\nS: -ERR")


def test_s7_no_apop(pop3: Pop3Server) -> None:
    dialog = pop3.dialog()
    dialog.play("S~ [^<>]*$\nC: APOP user1 c4c9334bac560ecc979e58001b3e22fb\nS: -ERR")


@pytest.mark.parametrize("command", ["LAST", "RPOP user1", "XTND XMIT", "RETRX 1", "STA", "\tNOOP"])
def test_s3_other_commands_are_unknown(pop3: Pop3Server, command: str) -> None:
    """LAST and RPOP were in RFCs before this one."""
    pop3.play(f"C: {command}\nS: -ERR\nC: NOOP\nS: +OK")


def test_s5_arguments_out_of_range(pop3: Pop3Server) -> None:
    pop3.deliver(ONE)
    dialog = pop3.play("C: NOOP\nS: +OK")
    for argument in ("0", "2", "-1", "+1", "1.0", "0x1", "1 1", "x", "4294967297", "9" * 200):
        for command in ("LIST", "UIDL", "RETR", "DELE"):
            dialog.play(f"C: {command} {argument}\nS: -ERR\nC: NOOP\nS: +OK")
    dialog.play("C: TOP 1 99999999999\nS: -ERR\nC: NOOP 1\nS: -ERR\nC: RSET 1\nS: -ERR")
    dialog.play("C: QUIT 1\nS: -ERR\nC: list 1\nS: +OK 1\nC: LIST 1 \nS: +OK 1")


def test_s8_the_maildrop_is_a_snapshot(pop3: Pop3Server) -> None:
    pop3.deliver(ONE)
    dialog = pop3.play("C: STAT\nS: +OK 1")
    pop3.deliver(TWO)
    dialog.play("C: STAT\nS: +OK 1\nC: RETR 2\nS: -ERR\nC: QUIT\nS: +OK")


def test_s8_sessions_share_the_mailbox(pop3: Pop3Server) -> None:
    """No lock: another POP3 session, or IMAP, may go on at once."""
    _, second = pop3.deliver(ONE, TWO)
    pop3.play("""
        C: DELE 1
        S: +OK
        C2: STAT
        S2: +OK 2
        C2: RETR 1
        S2: +OK
        ...2:
        S2~ \\.$
        C: QUIT
        S: +OK
        C2: RETR 1
        S2: -ERR message no longer exists
        C2: TOP 1 0
        S2: -ERR
        C2: DELE 1
        S2: +OK
        C2: NOOP
        S2: +OK
        C2: QUIT
        S2: +OK
        CLOSED2:
        """)
    assert pop3.uids() == [second]
