"""RFC 5464: METADATA."""

from pathlib import Path

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server

# Room for ten annotations, and all but one of them.
FEW = ImapSettings(plaintext_login=True, annotations=10, annotation_bytes=1024)
NINE = " ".join(f'/private/a{n} "{n}"' for n in range(9))


def test_s4_3_set_change_and_remove(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a GETMETADATA INBOX /shared/comment
        S: * METADATA "INBOX" (/shared/comment NIL)
        S: a OK
        C: b SETMETADATA INBOX (/private/comment "My comment" /shared/comment {5+}
        C: a
        C+ bc)\r\n
        S: b OK
        C: c GETMETADATA "INBOX" (/Shared/Comment /private/comment)
        S: * METADATA "INBOX" (/shared/comment {5}
        S: c OK
        C: d SETMETADATA INBOX (/private/comment NIL)
        S: d OK
        C: e GETMETADATA INBOX (DEPTH infinity) /private
        S: e OK
        C+ f SETMETADATA INBOX (/private/vendor/x/bin ~{3+}\r\na\x00b)\r\n
        S: f OK
        C: g GETMETADATA INBOX /private/vendor/x/bin
        S~ \* METADATA "INBOX" \(/private/vendor/x/bin ~\{3\}\r\na\x00b\)
        S: g OK
        C: h GETMETADATA Nowhere /shared/comment
        S: h NO [NONEXISTENT]
        C: i SETMETADATA Nowhere (/shared/comment x)
        S: i BAD
        C: j SETMETADATA Nowhere (/shared/comment "x")
        S: j NO [NONEXISTENT]
        """
    )


def test_s4_2_options(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a SETMETADATA Sent (/private/a/b "1" /private/a/b/c "22" /private/a "4444")
        S: a OK
        C: a SETMETADATA Sent (/private/ab "5")
        S: a OK
        C: b GETMETADATA (DEPTH 1) Sent /private/a
        S: * METADATA "Sent" (/private/a "4444" /private/a/b "1")
        S: b OK
        C: c GETMETADATA Sent (DEPTH infinity) /private/a
        S: * METADATA "Sent" (/private/a "4444" /private/a/b "1" /private/a/b/c "22")
        S: c OK
        C: d GETMETADATA Sent (MAXSIZE 1 DEPTH infinity) (/private/a /private/ab)
        S: * METADATA "Sent" (/private/a/b "1" /private/ab "5")
        S: d OK [METADATA LONGENTRIES 4]
        C: e GETMETADATA (MAXSIZE 4) Sent (/private/a)
        S: * METADATA "Sent" (/private/a "4444")
        S~ e OK (?!\[)
        C: f GETMETADATA (MAXSIZE 3) Sent /private/a
        S: f OK [METADATA LONGENTRIES 4]
        C: g GETMETADATA Sent /private/ab /private/none
        S: * METADATA "Sent" (/private/ab "5" /private/none NIL)
        S: g OK
        C: h GETMETADATA (DEPTH 2) Sent /private/a
        S: h BAD
        C: i GETMETADATA (SOME thing) Sent /private/a
        S: i BAD
        """
    )


@pytest.mark.parametrize(
    "name",
    [
        "/comment",
        "/private",
        "/private/",
        "/private//a",
        '"/private/a*"',
        '"/private/a%"',
        "/shared/vendor/x",
        '"/shared/ü"',
        "private/a",
        '""',
    ],
)
def test_s3_2_bad_entry_names(imap: ImapServer, name: str) -> None:
    imap.play(f'C: a SETMETADATA INBOX ({name} "x")\nS: a BAD\nC: b NOOP\nS: b OK')


def test_s3_2_1_1_server_entries(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a SETMETADATA "" (/private/vendor/x/y "mine")
        S: a OK
        C: b GETMETADATA "" (/private/vendor/x/y /shared/admin)
        S: * METADATA "" (/private/vendor/x/y "mine" /shared/admin NIL)
        S: b OK
        C: c SETMETADATA "" (/private/comment "not kept" /shared/comment "no")
        S: c NO [NOPERM]
        C: d GETMETADATA "" /private/comment
        S: * METADATA "" (/private/comment NIL)
        S: d OK
        """
    )


def test_s3_2_1_1_server_entries_of_the_operator() -> None:
    settings = ImapSettings(
        plaintext_login=True, admin_uri="mailto:postmaster@example.test", server_comment="Grüße"
    )
    with imap_server(settings) as server:
        server.play(
            r"""
            C: a GETMETADATA "" /shared/admin
            S: * METADATA "" (/shared/admin "mailto:postmaster@example.test")
            S: a OK
            C: b GETMETADATA "" /shared/comment
            S: * METADATA "" (/shared/comment {7}
            S: b OK
            """
        )


def test_s4_1_annotations_follow_the_mailbox(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Work/Old
        S: a OK
        C: b SETMETADATA Work/Old (/shared/comment "note")
        S: b OK
        C: c RENAME Work Job
        S: c OK
        C: d GETMETADATA Job/Old /shared/comment
        S: * METADATA "Job/Old" (/shared/comment "note")
        S: d OK
        C: e DELETE Job/Old
        S: e OK
        C: f CREATE Job/Old
        S: f OK
        C: g GETMETADATA Job/Old /shared/comment
        S: * METADATA "Job/Old" (/shared/comment NIL)
        S: g OK
        C: h SETMETADATA INBOX (/shared/comment "in")
        S: h OK
        C: i RENAME INBOX Before
        S: i OK
        C: j GETMETADATA Before /shared/comment
        S: * METADATA "Before" (/shared/comment "in")
        S: j OK
        C: k GETMETADATA INBOX /shared/comment
        S: * METADATA "INBOX" (/shared/comment "in")
        S: k OK
        """
    )


def test_s4_1_names_that_are_only_parents_have_annotations(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Work/Old/Deep
        S: a OK
        C: b SETMETADATA Work (/shared/comment "w" /private/comment "p")
        S: b OK
        C: c SETMETADATA Work/Old (/shared/comment "o")
        S: c OK
        C: d GETMETADATA Work (/shared/comment /private/comment)
        S: * METADATA "Work" (/shared/comment "w" /private/comment "p")
        S: d OK
        C: e RENAME Work Job
        S: e OK
        C: f GETMETADATA Job/Old /shared/comment
        S: * METADATA "Job/Old" (/shared/comment "o")
        S: f OK
        C: g GETMETADATA Work /shared/comment
        S: g NO [NONEXISTENT]
        # The folder that is made under the name takes them.
        C: h CREATE Job
        S: h OK
        C: i GETMETADATA Job /shared/comment
        S: * METADATA "Job" (/shared/comment "w")
        S: i OK
        # They go with the folder, also where the name stays.
        C: j DELETE Job
        S: j OK
        C: k GETMETADATA Job /shared/comment
        S: * METADATA "Job" (/shared/comment NIL)
        S: k OK
        # And with the last folder below the name.
        C: l DELETE Job/Old/Deep
        S: l OK
        C: m GETMETADATA Job/Old /shared/comment
        S: m NO [NONEXISTENT]
        C: n CREATE Job/Old/Deep
        S: n OK
        C: o GETMETADATA Job/Old /shared/comment
        S: * METADATA "Job/Old" (/shared/comment NIL)
        S: o OK
        C: p SETMETADATA Job/Old (/shared/comment "o" /private/x "y")
        S: p OK
        C: q SETMETADATA Job/Old (/shared/comment NIL)
        S: q OK
        C: r GETMETADATA (DEPTH infinity) Job/Old (/shared /private)
        S: * METADATA "Job/Old" (/private/x "y")
        S: r OK
        """
    )


def test_s4_1_parents_have_the_same_limit(tmp_path: Path) -> None:
    with imap_server(FEW, maildir_store(tmp_path)) as server:
        server.play(
            f"""
            C: c CREATE Work/Now
            S: c OK
            C: a SETMETADATA Work ({NINE})
            S: a OK
            C: b SETMETADATA Work (/private/a0 "changed" /private/x "10" /shared/y "11")
            S: b NO [METADATA TOOMANY]
            C: d GETMETADATA Work (/private/a0 /private/x)
            S: * METADATA "Work" (/private/a0 "0" /private/x NIL)
            S: d OK
            """
        )


def test_s4_3_limits_and_all_or_nothing(tmp_path: Path) -> None:
    with imap_server(FEW, maildir_store(tmp_path)) as server:
        server.play(
            rf"""
            C: a SETMETADATA INBOX ({NINE})
            S: a OK
            C: b SETMETADATA INBOX (/private/a0 "changed" /private/x "10" /shared/y "11")
            S: b NO [METADATA TOOMANY]
            C: c GETMETADATA INBOX (/private/a0 /private/x)
            S: * METADATA "INBOX" (/private/a0 "0" /private/x NIL)
            S: c OK
            C: d SETMETADATA INBOX (/private/a0 NIL /private/x "10" /shared/y "11")
            S: d OK
            C: e SETMETADATA INBOX (/private/a1 "{"x" * 1025}")
            S: e NO [METADATA MAXSIZE 1024]
            C: f SETMETADATA INBOX (/private/a1 "{"x" * 1024}")
            S: f OK
            C: g SETMETADATA Sent (/private/a "other")
            S: g OK
            """
        )


def test_s3_3_private_entries_are_for_their_user(imap: ImapServer) -> None:
    imap.play('C: a SETMETADATA INBOX (/private/comment "x" /shared/comment "y")\nS: a OK')
    account = imap.store.accounts["user1"] if hasattr(imap.store, "accounts") else None
    if account is not None:
        assert account.annotations("INBOX", "user2") == {"/shared/comment": b"y"}


def test_a_file_of_the_future_is_left_alone(tmp_path: Path) -> None:
    with imap_server(make_store=maildir_store(tmp_path)) as server:
        dialog = server.play('C: a SETMETADATA INBOX (/private/comment "x")\nS: a OK')
        (path,) = tmp_path.glob("mail/**/mailnode.annotations")
        for text in ('{"version": 2}', "nonsense", "[]", '{"version": 1, "entries": [1]}'):
            path.write_text(text)
            dialog.play("C: b GETMETADATA INBOX /private/comment\nS: b NO [UNAVAILABLE]")
            dialog.play('C: b SETMETADATA INBOX (/private/comment "y")\nS: b NO [UNAVAILABLE]')
            assert path.read_text() == text
