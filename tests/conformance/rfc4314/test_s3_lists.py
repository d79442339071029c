"""RFC 4314 2 and 3: lists, identifiers, and the commands that read and change them."""

import pytest

from tests.support.imap_server import ImapServer
from tests.support.sharers import share


def test_s3_1_set_change_and_read(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd
        S: a OK
        C: b SETACL INBOX bob@example.test lr
        S: b OK
        C: c SETACL INBOX Bob@Example.Test +sw
        S: c OK
        C: d GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test lrsw
        S: d OK
        C: e SETACL INBOX bob@example.test -rw
        S: e OK
        C: f GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test ls
        S: f OK
        C: g SETACL INBOX bob@example.test ""
        S: g OK
        C: h GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test ""
        S: h OK
        C: i GETACL Nowhere
        S: i NO [NONEXISTENT]
        C: j SETACL Nowhere bob@example.test lr
        S: j NO [NONEXISTENT]
        """,
    )


def test_s3_1_unknown_rights_are_bad(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a SETACL INBOX bob@example.test lrz
        S: a BAD
        C: b SETACL INBOX bob@example.test +5
        S: b BAD
        C: c SETACL INBOX bob@example.test LR
        S: c BAD
        C: d SETACL INBOX bob@example.test ++l
        S: d BAD
        C: e SETACL INBOX "" l
        S: e BAD
        C: f SETACL INBOX - l
        S: f BAD
        C: g SETACL INBOX
        S: g BAD
        C: h GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd
        S: h OK
        """,
    )


def test_s2_1_1_obsolete_rights(imap: ImapServer) -> None:
    """Setting c and d gives what they stand for; they are shown where any of that is there."""
    share(
        imap,
        """
        C: a SETACL INBOX bob@example.test lrcd
        S: a OK
        C: b GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test lrkxtecd
        S: b OK
        C: c SETACL INBOX bob@example.test -c
        S: c OK
        C: d SETACL INBOX bob@example.test -e
        S: d OK
        C: e GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test lrtd
        S: e OK
        """,
    )


def test_s3_2_delete(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a SETACL INBOX bob@example.test lr
        S: a OK
        C: b SETACL INBOX -bob@example.test r
        S: b OK
        C: c GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd bob@example.test lr -bob@example.test r
        S: c OK
        C: d DELETEACL INBOX bob@example.test
        S: d OK
        C: e GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd -bob@example.test r
        S: e OK
        C: f DELETEACL INBOX -bob@example.test
        S: f OK
        C: g DELETEACL INBOX -bob@example.test
        S: g OK
        C: h GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd
        S: h OK
        C: i DELETEACL INBOX
        S: i BAD
        """,
    )


def test_s3_4_what_can_be_given(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a LISTRIGHTS INBOX ann@example.test
        S: * LISTRIGHTS "INBOX" ann@example.test lrswipkxteacd
        S: a OK
        C: b LISTRIGHTS INBOX owner
        S: * LISTRIGHTS "INBOX" owner lrswipkxteacd
        S: b OK
        C: c LISTRIGHTS INBOX anyone
        S: * LISTRIGHTS "INBOX" anyone "" l r s w i p k x t e a c d
        S: c OK
        C: d LISTRIGHTS INBOX -bob@example.test
        S: * LISTRIGHTS "INBOX" -bob@example.test "" l r s w i p k x t e a c d
        S: d OK
        C: e LISTRIGHTS Nowhere bob
        S: e NO [NONEXISTENT]
        C: f LISTRIGHTS INBOX
        S: f BAD
        """,
    )


def test_s3_5_own_rights(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a MYRIGHTS INBOX
        S: * MYRIGHTS "INBOX" lrswipkxteacd
        S: a OK
        C: b MYRIGHTS Nowhere
        S: b NO [NONEXISTENT]
        C: c SETACL Sent bob lrs
        S: c OK
        C2: a MYRIGHTS "Other Users/ann@example.test/Sent"
        S2: * MYRIGHTS "Other Users/ann@example.test/Sent" lrs
        S2: a OK
        C2: b MYRIGHTS "Other Users/ann@example.test/INBOX"
        S2: b NO [NONEXISTENT]
        """,
    )


def test_owner_keeps_every_right(imap: ImapServer) -> None:
    share(
        imap,
        """
        C: a SETACL INBOX ann@example.test lr
        S: a NO [CANNOT]
        C: b SETACL INBOX owner -a
        S: b NO [CANNOT]
        C: c SETACL INBOX -owner a
        S: c NO [CANNOT]
        C: d DELETEACL INBOX ann@example.test
        S: d NO [CANNOT]
        C: e SETACL INBOX owner lrswipkxtea
        S: e OK
        C: f SETACL INBOX ann@example.test +cd
        S: f OK
        C: g MYRIGHTS INBOX
        S: * MYRIGHTS "INBOX" lrswipkxteacd
        S: g OK
        """,
    )


def test_s2_the_most_specific_entry_counts_and_negative_rights_are_taken_away(
    imap: ImapServer,
) -> None:
    shared = '"Other Users/ann@example.test/INBOX"'
    share(
        imap,
        f"""
        C: a SETACL INBOX anyone lrswi
        S: a OK
        C2: a MYRIGHTS {shared}
        S2: * MYRIGHTS {shared} lrswi
        S2: a OK
        C: b SETACL INBOX @example.test lr
        S: b OK
        C2: b MYRIGHTS {shared}
        S2: * MYRIGHTS {shared} lr
        S2: b OK
        C: c SETACL INBOX bob lte
        S: c OK
        C2: c MYRIGHTS {shared}
        S2: * MYRIGHTS {shared} lted
        S2: c OK
        C3: c MYRIGHTS {shared}
        S3: * MYRIGHTS {shared} lr
        S3: c OK
        C: d SETACL INBOX -anyone t
        S: d OK
        C2: d MYRIGHTS {shared}
        S2: * MYRIGHTS {shared} led
        S2: d OK
        C: e SETACL INBOX -bob le
        S: e OK
        C2: e MYRIGHTS {shared}
        S2: e NO [NONEXISTENT]
        C: f SETACL INBOX authenticated lrp
        S: f OK
        C: g DELETEACL INBOX @example.test
        S: g OK
        C3: g MYRIGHTS {shared}
        S3: * MYRIGHTS {shared} lrp
        S3: g OK
        """,
    )


def test_s3_needs_the_right_to_administer(imap: ImapServer) -> None:
    shared = '"Other Users/ann@example.test/INBOX"'
    share(
        imap,
        f"""
        C: a SETACL INBOX bob lr
        S: a OK
        C2: a GETACL {shared}
        S2: a NO [NOPERM]
        C2: b SETACL {shared} eve lr
        S2: b NO [NOPERM]
        C2: c DELETEACL {shared} bob
        S2: c NO [NOPERM]
        C2: d LISTRIGHTS {shared} bob
        S2: d NO [NOPERM]
        C3: a GETACL {shared}
        S3: a NO [NONEXISTENT]
        C3: b SETACL {shared} eve lr
        S3: b NO [NONEXISTENT]
        C3: c LISTRIGHTS {shared} eve
        S3: c NO [NONEXISTENT]
        C3: d SETACL {shared} ann@example.test lr
        S3: d NO [NONEXISTENT]
        C: b SETACL INBOX bob +a
        S: b OK
        C2: e SETACL {shared} eve lr
        S2: e OK
        C2: f GETACL {shared}
        S2: * ACL {shared} ann@example.test lrswipkxteacd bob@example.test lra eve@example.test lr
        S2: f OK
        C2: g SETACL {shared} ann@example.test lr
        S2: g NO [CANNOT]
        C2: h SETACL {shared} bob -a
        S2: h OK
        C2: i SETACL {shared} bob +a
        S2: i NO [NOPERM]
        """,
    )


@pytest.mark.parametrize(
    "identifier",
    [
        "mal@other.test",
        "@other.test",
        "-@other.test",
        "$group",
        '"a\tb"',
        '"bob@example.test lrswa"',
        '"../../../etc@other.test"',
        "@",
    ],
)
def test_identifiers_that_stand_for_nobody_here(imap: ImapServer, identifier: str) -> None:
    share(
        imap,
        f"""
        C: a SETACL INBOX {identifier} lr
        S: a NO [CANNOT]
        C: b GETACL INBOX
        S: * ACL "INBOX" ann@example.test lrswipkxteacd
        S~ b OK
        """,
    )


def test_hostile_identifiers_stay_what_they_are(imap: ImapServer) -> None:
    """None leads out of its line or its folder, whatever is in it."""
    share(
        imap,
        r"""
        C+ a SETACL INBOX {25+}\r\neve\nuser=x@example.test\x20l lr\r\n
        S: a NO [CANNOT]
        C: b SETACL INBOX "../../x/y@example.test" lr
        S: b OK
        C: c SETACL INBOX "a \"b\\ c" lr
        S: c OK
        C: d SETACL INBOX "#x" lr
        S: d OK
        C: e SETACL INBOX user=eve@example.test lr
        S: e OK
        C+ f SETACL INBOX {5+}\r\nd\xc3\xb6\xc3\xb6 lr\r\n
        S: f OK
        C: g GETACL INBOX
        S~ \* ACL "INBOX" ann@example.test lrswipkxteacd ../../x/y@example.test lr (?P<rest>.*)
        S: g OK
        C3: a SELECT "Other Users/ann@example.test/INBOX"
        S3: a NO [NONEXISTENT]
        C: h DELETEACL INBOX "a \"b\\ c"
        S: h OK
        C+ i SETACL INBOX {2+}\r\n\xff\xfe lr\r\n
        S: i BAD
        """,
    )


def test_s5_4_capability(imap: ImapServer) -> None:
    share(imap, r"C: a CAPABILITY" + "\nS~ .* ACL RIGHTS=kxte LIST-MYRIGHTS( |$)\nS: a OK")


def test_list_has_a_bound(imap: ImapServer) -> None:
    lines = "".join(f"C: a SETACL INBOX u{n} l\nS: a OK\n" for n in range(500))
    share(imap, lines + "C: b SETACL INBOX more l\nS: b NO [LIMIT]")
