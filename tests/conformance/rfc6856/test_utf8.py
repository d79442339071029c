"""RFC 6856: UTF8 and LANG."""

from mailnode.runtime.settings.pop3 import Pop3Settings
from tests.support.pop3_server import Pop3Server, pop3_server

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


def test_s2_1_headers_are_ascii_for_who_did_not_ask(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE, MESSAGE.replace(b"ja", b"\xfcber"), b"Subject: plain\r\n\r\n.x\r\n")
    size = len(MESSAGE)
    pop3.play(f"""
        C1: LIST 1
        S1: +OK 1 {size}
        C1: RETR 1
        S1: +OK {size} octets
        S1~ From: =\\?utf-8\\?b\\?[A-Za-z0-9+/=]+\\?= <invalid@internationalized-address.invalid>$
        S1: Subject: =?utf-8?b?Z3LDvMOfIGRpY2g=?=
        S1~ $
        S1: ja
        S1~ \\.$
        C1: TOP 1 0
        S1: +OK
        S1: From: =?utf-8
        S1: Subject: =?utf-8?b?Z3LDvMOfIGRpY2g=?=
        S1~ $
        S1~ \\.$
        C1: RETR 3
        S1: +OK
        S1: Subject: plain
        S1~ $
        S1: ..x
        S1~ \\.$
        C1: QUIT
        S1: +OK
        """)


def test_large_messages_too(pop3: Pop3Server) -> None:
    body = b"x" * 78 + b"\r\n"
    parts = b"--b\r\nX-Part: \xc3\xbc\r\n\r\n" + body * 3000
    head = b"Subject: \xc3\xbc\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    pop3.deliver(head + parts * 2 + b"--b--\r\n")
    dialog = pop3.play("C1: RETR 1\nS1: +OK\nS1: Subject: =?utf-8?b?w7w=?=")
    client, lines = dialog.client("1"), []
    while (line := client.line()) != ".":
        lines.append(line)
    assert lines.count("X-Part: =?utf-8?b?w7w=?=") == 2
    assert len(lines) == 1 + 1 + 2 * 3003 + 1


def test_the_operator_may_leave_them_alone() -> None:
    settings = Pop3Settings(plaintext_login=True, downgrade_headers=False)
    with pop3_server(settings) as server:
        server.deliver(MESSAGE)
        server.play("C1: RETR 1\nS1: +OK\nS1: From: \u00e4@\u00f6.example")


def test_s3_lang(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE)
    pop3.dialog().play("""
        S: +OK
        C: CAPA
        ...
        S~ LANG$
        ...
        S~ \\.$
        C: LANG
        S: +OK languages follow
        S: en English
        S: de Deutsch
        S~ \\.$
        C: LANG uga
        S: -ERR no such language
        C: LANG de en
        S: -ERR no such language
        C: LANG de-AT
        S: +OK de Sprache gewechselt
        C: PASS x
        S: -ERR zuerst USER
        C: USER user1
        S: +OK jetzt PASS
        C: PASS wrong
        S: -ERR [AUTH] Anmeldung fehlgeschlagen
        C: NOOP
        S: -ERR vor der Anmeldung nicht erlaubt
        C: USER user1
        S: +OK
        C: PASS secret
        S: +OK 1 Nachrichten (
        C: STAT
        S: +OK 1
        C: DELE 1
        S: +OK Nachricht 1 geloescht
        C: DELE 1
        S: -ERR Nachricht 1 ist geloescht
        C: LANG *
        S: +OK en language changed
        C: QUIT
        S: +OK bye
        """)


def test_s3_lang_with_utf8(pop3: Pop3Server) -> None:
    pop3.deliver(MESSAGE)
    pop3.dialog().play("""
        S: +OK
        C: UTF8
        S: +OK
        C: LANG de
        S: +OK de
        C: USER user1
        S: +OK
        C: PASS secret
        S: +OK
        C: DELE 1
        S: +OK Nachricht 1 gel\u00f6scht
        """)


def test_what_was_said_before_stls_is_forgotten(pop3: Pop3Server) -> None:
    pop3.dialog().play("""
        S: +OK
        C: LANG de
        S: +OK de
        C: UTF8
        S: +OK ab jetzt UTF-8
        C: STLS
        S: +OK jetzt mit TLS beginnen
        T:
        C: QUIT
        S: +OK bye
        """)
