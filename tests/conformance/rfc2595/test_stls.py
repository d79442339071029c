"""RFC 2595 4: STLS."""

from mailnode.runtime.settings.pop3 import Pop3Settings
from tests.support.pop3_server import pop3_server


def test_no_password_in_clear() -> None:
    with pop3_server(Pop3Settings()) as server:
        server.dialog().play("""
            S: +OK
            C: CAPA
            S: +OK
            ...
            S: STLS
            ...
            S~ \\.$
            C: USER user1
            S: -ERR
            C: PASS secret
            S: -ERR
            C: AUTH PLAIN AHVzZXIxAHNlY3JldA==
            S: -ERR
            C: STLS
            S: +OK
            T:
            C: STLS
            S: -ERR
            C: USER user1
            S: +OK
            C: PASS secret
            S: +OK
            C: STLS
            S: -ERR
            C: QUIT
            S: +OK
            """)
        assert server.gate.seen == [("user1", "USER", True)]


def test_what_was_said_in_clear_is_forgotten() -> None:
    with pop3_server() as server:
        server.dialog().play("""
            S: +OK
            C: USER user1
            S: +OK
            C+ STLS\\r\\nUSER injected\\r\\nPASS secret\\r\\n
            S: +OK
            T:
            NOTHING:
            C: PASS secret
            S: -ERR
            """)
        assert server.gate.seen == []
