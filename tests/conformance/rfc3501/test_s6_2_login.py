"""RFC 3501 6.2: STARTTLS, AUTHENTICATE, LOGIN."""

import base64

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.dialog import Dialog
from tests.support.imap_server import ImapServer, imap_server

STRICT = ImapSettings()
PLAIN = base64.b64encode(b"\0user1\0secret").decode()
USER, PASSWORD = (base64.b64encode(word).decode() for word in (b"user1", b"secret"))


def test_no_password_without_tls() -> None:
    with imap_server(STRICT) as server:
        server.dialog().play(
            rf"""
            S~ \* OK \[CAPABILITY (?!.*AUTH=).*STARTTLS LOGINDISABLED\] .*
            C: a LOGIN user1 secret
            S: a NO [PRIVACYREQUIRED]
            C: b AUTHENTICATE PLAIN {PLAIN}
            S: b NO [PRIVACYREQUIRED]
            """
        )
        assert server.gate.seen == []


def test_starttls_then_login() -> None:
    with imap_server(STRICT) as server:
        server.dialog().play(
            r"""
            S: * OK
            C: a STARTTLS
            S: a OK
            T:
            C: b CAPABILITY
            S~ \* CAPABILITY (?!.*(STARTTLS|LOGINDISABLED)).*AUTH=PLAIN.*
            S: b OK
            C: c STARTTLS
            S: c BAD
            C: d LOGIN user1 secret
            S: d OK
            """
        )
        assert server.gate.seen == [("user1", "LOGIN", True)]


def test_nothing_sent_before_the_handshake_is_run() -> None:
    with imap_server(STRICT) as server:
        server.dialog().play(
            """
            S: * OK
            C+ a STARTTLS\\r\\nb NOOP\\r\\nc LOGIN user1
            S: a OK
            T:
            C: d NOOP
            S: d OK
            """
        )


def test_implicit_tls() -> None:
    with imap_server(STRICT) as server:
        dialog = Dialog(server.tls_address)
        dialog.play(
            r"""
            T:
            S~ \* OK \[CAPABILITY (?!.*STARTTLS).*AUTH=PLAIN.*
            C: a LOGIN user1 secret
            S: a OK
            C: b LOGOUT
            S: * BYE
            S: b OK
            """
        )
        dialog.close()


def test_wrong_password(imap: ImapServer) -> None:
    imap.dialog().play(
        """
        S: * OK
        C: a LOGIN user1 wrong
        S: a NO [AUTHENTICATIONFAILED]
        C: b LOGIN user1 {6}
        S: +
        C: secret
        S: b OK
        """
    )


def test_database_gone_is_temporary(imap: ImapServer) -> None:
    imap.gate.down = True
    imap.dialog().play("S: * OK\nC: a LOGIN user1 secret\nS: a NO [UNAVAILABLE]")


def test_authenticate_plain(imap: ImapServer) -> None:
    imap.dialog().play(
        f"""
        S: * OK
        C: a AUTHENTICATE PLAIN
        S: +
        C: {PLAIN}
        S: a OK [CAPABILITY
        """
    )


def test_authenticate_login(imap: ImapServer) -> None:
    imap.dialog().play(
        f"""
        S: * OK
        C: a AUTHENTICATE LOGIN
        S: + VXNlc
        C: {USER}
        S: + UGFzc
        C: {PASSWORD}
        S: a OK
        """
    )


def test_authenticate_cancelled_malformed_unknown(imap: ImapServer) -> None:
    other = base64.b64encode(b"boss\0user1\0secret").decode()
    imap.dialog().play(
        f"""
        S: * OK
        C: a AUTHENTICATE PLAIN
        S: +
        C: *
        S: a BAD
        C: b AUTHENTICATE PLAIN
        S: +
        C: not base64!
        S: b BAD
        C: c AUTHENTICATE CRAM-MD5
        S: c NO
        C: d AUTHENTICATE PLAIN
        S: +
        C: {other}
        S: d NO [AUTHORIZATIONFAILED]
        C: e NOOP
        S: e OK
        """
    )


def test_too_many_sessions_of_a_user() -> None:
    settings = ImapSettings(plaintext_login=True, max_sessions_per_user_ip=2)
    with imap_server(settings) as server:
        dialog = server.play("C: a NOOP\nS: a OK\nC2: a NOOP\nS2: a OK")
        third = server.dialog()
        third.play("S: * OK\nC: a LOGIN user1 secret\nS: a NO [LIMIT]")
        dialog.play("C: b LOGOUT\nS: * BYE\nS: b OK\nCLOSED:")
        third.play("C: c LOGIN user1 secret\nS: c OK")


def test_too_many_connections_of_an_address() -> None:
    settings = ImapSettings(plaintext_login=True, max_sessions_per_ip=1)
    with imap_server(settings) as server:
        server.dialog().play("S: * OK\nS2: * BYE [UNAVAILABLE]\nCLOSED2:")
