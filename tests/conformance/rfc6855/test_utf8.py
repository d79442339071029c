"""RFC 6855: UTF8=ACCEPT."""

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import ImapServer, imap_server

ON = "C: e ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: e OK\n"
STRICT = ImapSettings(plaintext_login=True, accept_8bit_headers=False)
LETTER = "Subject: Grüße\r\n\r\nHallo\r\n".encode()


def test_s3_names_are_utf8_both_ways(imap: ImapServer) -> None:
    imap.play(
        ON
        + r"""
        C: a CREATE "Entwürfe/日本 & mehr"
        S: a OK
        C: b LIST "" "Entw*"
        S: * LIST (\NonExistent \HasChildren) "/" "Entwürfe"
        S: * LIST (\HasNoChildren) "/" "Entwürfe/日本 & mehr"
        S: b OK
        C: c STATUS "Entwürfe/日本 & mehr" (MESSAGES)
        S: * STATUS "Entwürfe/日本 & mehr" (MESSAGES 0)
        S: c OK
        C: d GETQUOTAROOT "Entwürfe"
        S: * QUOTAROOT "Entwürfe" "user"
        S: * QUOTA
        S: d OK
        C2: a LIST "" "Entw*/*"
        S2: * LIST (\HasNoChildren) "/" "Entw&APw-rfe/&ZeVnLA- &- mehr"
        S2: a OK
        C: f CREATE "A&APw-"
        S: f OK
        C: g LIST "" "A&*"
        S: * LIST (\HasNoChildren) "/" "A&APw-"
        S: g OK
        """.replace("\\NonExistent", "\\Noselect")
    )


def test_s3_what_is_not_utf8_is_bad(imap: ImapServer) -> None:
    dialog = imap.play(ON)
    dialog.client().send(b'a CREATE "Entw\xfcrfe"\r\n')
    dialog.play('S: a BAD\nC: b CREATE "tab\there"\nS: b NO\nC: c CREATE "odd\x9fend"\nS: c NO')


def test_s3_search_takes_utf8_and_no_charset(imap: ImapServer) -> None:
    imap.deliver(LETTER, b"Subject: x\r\n\r\ny\r\n")
    imap.play(
        ON
        + """
        C: a SELECT INBOX
        ...
        S: a OK
        C: b SEARCH SUBJECT "gRüßE"
        S: * SEARCH 1
        S: b OK
        C: c SEARCH CHARSET UTF-8 SUBJECT x
        S: c BAD
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: c SEARCH CHARSET UTF-8 SUBJECT x
        S2: * SEARCH 2
        S2: c OK
        """
    )


def test_s4_append_utf8(imap: ImapServer) -> None:
    dialog = imap.play(ON + "C: a SELECT INBOX\n...\nS: a OK")
    dialog.client().send(b"b APPEND INBOX (\\Seen) UTF8 (~{%d}\r\n" % len(LETTER))
    dialog.play("S: +")
    dialog.client().send(LETTER + b")\r\n")
    dialog.play("...\nS: b OK [APPENDUID\nC: c FETCH 1 BODY.PEEK[HEADER]")
    assert "Subject: Grüße" in dialog.client().line()


def test_s4_eight_bit_headers_need_enable() -> None:
    with imap_server(STRICT) as imap:
        _only_enabled_clients_append_them(imap)


def _only_enabled_clients_append_them(imap: ImapServer) -> None:
    dialog = imap.play("C: a NOOP\nS: a OK")
    for head in (LETTER, b"X: y\r\n z\xff\r\n\r\n"):
        dialog.client().send(b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(head), head))
        dialog.play("S: b NO [CANNOT]")
    body = "X: y\r\n\r\nGrüße\r\n".encode()
    dialog.client().send(b"c APPEND INBOX {%d+}\r\n%b\r\n" % (len(body), body))
    dialog.play('S: c OK\nC: d STATUS INBOX (MESSAGES)\nS: * STATUS "INBOX" (MESSAGES 1)\nS: d OK')
    # RFC 9051: UTF-8 headers are part of IMAP4rev2.
    dialog.play("C: q ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: q OK")
    dialog.client().send(b"e APPEND INBOX {%d+}\r\n%b\r\n" % (len(LETTER), LETTER))
    dialog.play("S: e OK")


def test_s4_of_a_message_in_a_file_too() -> None:
    with imap_server(STRICT.model_copy(update={"spool_bytes": 1024})) as server:
        dialog = server.play("C: a NOOP\nS: a OK")
        large = LETTER + b"x" * 2000
        dialog.client().send(b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(large), large))
        dialog.play("S: b NO [CANNOT]")


def test_old_mail_may_be_moved_here_by_default(imap: ImapServer) -> None:
    dialog = imap.play("C: a NOOP\nS: a OK")
    dialog.client().send(b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(LETTER), LETTER))
    dialog.play("S: b OK")


def test_s3_strings_of_others_stay_ascii(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE "Entw&APw-rfe"
        S: a OK
        C: b LIST "" E*
        S: * LIST (\HasNoChildren) "/" "Entw&APw-rfe"
        S: b OK
        """
    )
