"""RFC 9208: QUOTA with the STORAGE resource."""

from tests.support.imap_server import ImapServer, message

BIG = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n"
BIG_ESCAPED = BIG.decode().encode("unicode_escape").decode()


def test_s4_1_1_no_limit_is_an_empty_list(imap: ImapServer) -> None:
    imap.play(
        """
        C: a GETQUOTAROOT INBOX
        S: * QUOTAROOT "INBOX" "user"
        S: * QUOTA "user" ()
        S: a OK
        C: b GETQUOTA user
        S: * QUOTA "user" ()
        S: b OK
        C: c GETQUOTA nobody
        S: c NO [NONEXISTENT]
        """
    )


def test_s4_1_2_use_and_limit_in_units_of_1024_octets(imap: ImapServer) -> None:
    imap.gate.quota_bytes = 10_300
    imap.deliver(b"x" * 1025)
    imap.play(
        """
        C: a GETQUOTAROOT "Not/there yet"
        S: * QUOTAROOT "Not/there yet" "user"
        S: * QUOTA "user" (STORAGE 2 10)
        S: a OK
        C: b GETQUOTA "user"
        S: * QUOTA "user" (STORAGE 2 10)
        S: b OK
        """
    )


def test_s4_1_3_limits_are_not_set_by_users(imap: ImapServer) -> None:
    imap.play(
        """
        C: a SETQUOTA user (STORAGE 5)
        S: a NO [NOPERM]
        C: b SETQUOTA other ()
        S: b NO [NONEXISTENT]
        C: c SETQUOTA user (STORAGE -1)
        S: c BAD
        """
    )


def test_s4_3_1_overquota(imap: ImapServer) -> None:
    imap.gate.quota_bytes = len(message(1)) + 10
    imap.deliver(message(1))
    imap.play(
        f"""
        C: a SELECT INBOX
        ...
        S: a OK
        C+ b APPEND INBOX {{{len(BIG)}+}}\\r\\n{BIG_ESCAPED}\\r\\n
        S: b NO [OVERQUOTA]
        C: c COPY 1 Trash
        S: c NO [OVERQUOTA]
        C: d STATUS Trash (MESSAGES)
        S: * STATUS "Trash" (MESSAGES 0)
        S: d OK
        """
    )


def test_s4_1_4_deleted_storage(imap: ImapServer) -> None:
    imap.deliver(message(1), BIG, message(3))
    imap.play(
        f"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STATUS INBOX (DELETED DELETED-STORAGE)
        S: * STATUS "INBOX" (DELETED 0 DELETED-STORAGE 0)
        S: b OK
        C: c STORE 1:2 +FLAGS.SILENT (\\Deleted)
        S: c OK
        C: d LIST "" INBOX RETURN (STATUS (DELETED-STORAGE DELETED))
        S: * LIST
        S: * STATUS "INBOX" (DELETED-STORAGE {len(message(1) + BIG)} DELETED 2)
        S: d OK
        """
    )


def test_s3_capabilities(imap: ImapServer) -> None:
    imap.play("C: a CAPABILITY\nS~ .* QUOTA QUOTA=RES-STORAGE( |$)\nS: a OK")
