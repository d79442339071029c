"""RFC 6856: UTF8."""

from tests.support.pop3_server import Pop3Server

MESSAGE = "From: \u00e4@\u00f6.example\r\nSubject: gr\u00fc\u00df dich\r\n\r\nja\r\n".encode()


def test_s2_utf8(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE)
    pop3.dialog().play("""
        S: +OK
        C: CAPA
        S: +OK
        ...
        S: UTF8 USER
        ...
        S~ \\.$
        C: UTF8
        S: +OK
        C: USER user1
        S: +OK
        C: PASS secret
        S: +OK
        C: UTF8
        S: -ERR
        C: RETR 1
        S: +OK
        S: From: \u00e4@\u00f6.example
        S: Subject: gr\u00fc\u00df dich
        S~ $
        S: ja
        S~ \\.$
        """)


def test_s2_2_user_names_are_utf8(pop3: Pop3Server) -> None:
    pop3.dialog().play("S: +OK\nC: USER j\u00f6rg\nS: +OK\nC: PASS secret\nS: +OK")
    assert pop3.gate.seen[-1][0] == "j\u00f6rg"
