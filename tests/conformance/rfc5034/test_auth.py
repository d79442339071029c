"""RFC 5034: AUTH."""

import base64

from tests.support.pop3_server import Pop3Server

PLAIN = base64.b64encode(b"\0user1\0secret").decode()
OTHER = base64.b64encode(b"user2\0user1\0secret").decode()


def test_s4_with_and_without_initial_response(pop3: Pop3Server) -> None:
    pop3.dialog().play(f"""
        S: +OK
        C: AUTH PLAIN {PLAIN}
        S: +OK
        C: STAT
        S: +OK
        C2: AUTH plain
        S2: +OK
        S2~ \\+ $
        C2: {PLAIN}
        S2: +OK
        """)


def test_s4_cancel_and_nonsense(pop3: Pop3Server) -> None:
    pop3.dialog().play(f"""
        S: +OK
        C: AUTH PLAIN
        S: +
        C: *
        S: -ERR authentication cancelled
        C: AUTH PLAIN
        S: +
        C: ???
        S: -ERR
        C: AUTH PLAIN =
        S: -ERR
        C: AUTH PLAIN {"A" * 13000}
        S: -ERR
        C: AUTH PLAIN
        S: +
        C: {"A" * 13000}
        S: -ERR
        C: AUTH GSSAPI
        S: -ERR
        C: AUTH PLAIN {OTHER}
        S: -ERR [AUTH]
        C: AUTH PLAIN a b
        S: -ERR
        C: AUTH PLAIN {PLAIN}
        S: +OK
        C: AUTH PLAIN {PLAIN}
        S: -ERR
        """)


def test_login_mechanism(pop3: Pop3Server) -> None:
    pop3.dialog().play("""
        S: +OK
        C: AUTH LOGIN
        S: + VXNlcm5hbWU6
        C: dXNlcjE=
        S: + UGFzc3dvcmQ6
        C: c2VjcmV0
        S: +OK
        """)


def test_lone_auth_lists_mechanisms(pop3: Pop3Server) -> None:
    pop3.dialog().play("S: +OK\nC: AUTH\nS: +OK\nS: PLAIN\nS: LOGIN\nS~ \\.$")


def test_commands_sent_along_with_auth(pop3: Pop3Server) -> None:
    """RFC 2449 6.6: in order, also where the response comes in a line of its own."""
    pop3.dialog().play(f"""
        S: +OK
        C+ AUTH PLAIN\\r\\n!!\\r\\nAUTH PLAIN\\r\\n{PLAIN}\\r\\nSTAT\\r\\nAUTH PLAIN\\r\\nQUIT\\r\\n
        S: +
        S: -ERR
        S: +
        S: +OK
        S: +OK 0 0
        S: -ERR
        S: +OK
        CLOSED:
        """)
