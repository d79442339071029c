"""RFC 4314: several sessions at once: rights that change under them, and each reader's \\Seen."""

import pytest

from mailnode.access.imap.session import Session
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.store import AccountRef
from mailnode.store.acl import Entry
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server, message
from tests.support.sharers import BOB, EVE, give, make_public, put, share

BOX = '"Other Users/ann@example.test/INBOX"'


def test_who_loses_the_right_to_read_is_sent_away(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "lrs")
    give(imap, EVE, "lrs")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C2: b IDLE
        S2: +
        C3: a SELECT {BOX}
        ...3:
        S3: a OK
        C1: a DELETEACL INBOX bob
        S1: a OK
        S2: * BYE
        CLOSED2:
        # Who does not idle learns it at the next step, and reads nothing any more.
        C1: b SETACL INBOX eve l
        S1: b OK
        C3: b FETCH 1 BODY[]
        ...3:
        S3: * BYE
        CLOSED3:
        """,
    )


@pytest.mark.parametrize("items", ["FLAGS", "ENVELOPE", "BODY.PEEK[HEADER]"])
def test_who_lost_the_right_to_read_gets_no_answer_from_memory(
    imap: ImapServer, items: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on another node, before the hint of the change has come.
    monkeypatch.setattr(Session, "_heard", lambda self, modseq: None)
    put(imap, message(1))
    give(imap, BOB, "lr")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C2: b FETCH 1 {items}
        ...2:
        S2: b OK
        C1: a SETACL INBOX bob l
        S1: a OK
        C2: c FETCH 1 {items}
        S2: * BYE
        CLOSED2:
        """,
    )


def test_who_gets_other_rights_is_told(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "lr")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK [READ-ONLY]
        C2: b IDLE
        S2: +
        C1: a SETACL INBOX bob +w
        S1: a OK
        S2: * OK [READ-WRITE]
        S2: * FLAGS
        S2: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\*)]
        C2: DONE
        S2: b OK
        C2: c STORE 1 +FLAGS.SILENT (\\Flagged)
        S2: c OK
        C1: b SETACL INBOX bob -w
        S1: b OK
        C2: d NOOP
        S2: * OK [READ-ONLY]
        S2: * FLAGS
        S2: * OK [PERMANENTFLAGS ()]
        S2: d OK
        C2: e STORE 1 -FLAGS.SILENT (\\Flagged)
        S2: e NO [NOPERM]
        """,
    )


def test_folder_that_is_deleted_under_a_reader(imap: ImapServer) -> None:
    share(
        imap,
        """
        C1: a CREATE Team
        S1: a OK
        C1: b SETACL Team bob lr
        S1: b OK
        C2: a SELECT "Other Users/ann@example.test/Team"
        ...2:
        S2: a OK
        C2: b IDLE
        S2: +
        C1: c DELETE Team
        S1: c OK
        S2: * BYE
        CLOSED2:
        """,
    )


def test_folder_that_its_owner_renames_stays_open(imap: ImapServer) -> None:
    share(
        imap,
        """
        C1: a CREATE Team
        S1: a OK
        C1: b SETACL Team bob lrsw
        S1: b OK
        C2: a ENABLE IMAP4rev2
        ...2:
        S2: a OK
        C2: b SELECT "Other Users/ann@example.test/Team"
        ...2:
        S2: b OK
        C1: c RENAME Team Crew
        S1: c OK
        C1+ d APPEND Crew {9+}\\r\\nSubject:\\n\\r\\n
        S1: d OK
        C2: c NOOP
        ...2:
        S2: * 1 EXISTS
        S2: c OK
        C2: d STORE 1 +FLAGS.SILENT (\\Seen)
        S2: d OK
        C2: e STATUS "Other Users/ann@example.test/Crew" (UNSEEN)
        S2: * STATUS "Other Users/ann@example.test/Crew" (UNSEEN 0)
        S2: e OK
        """,
    )


def test_seen_is_each_readers_own(imap: ImapServer) -> None:
    put(imap, message(1), message(2))
    give(imap, BOB, "lrsw")
    give(imap, EVE, "lrsw")
    share(
        imap,
        f"""
        C1: a SELECT INBOX
        ...
        S1: a OK
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C3: a SELECT {BOX}
        ...3:
        S3: a OK
        C2: b STORE 1 +FLAGS.SILENT (\\Seen)
        S2: b OK
        C2: c FETCH 1:2 FLAGS
        S2~ \\* 1 FETCH \\(FLAGS \\(\\\\Seen( \\\\Recent)?\\)\\)
        S2~ \\* 2 FETCH \\(FLAGS \\((\\\\Recent)?\\)\\)
        S2: c OK
        C3: b NOOP
        S3: b OK
        C3: c SEARCH UNSEEN
        S3: * SEARCH 1 2
        S3: c OK
        C1: b NOOP
        S1: b OK
        C1: c SEARCH UNSEEN
        S1: * SEARCH 1 2
        S1: c OK
        # What is common is told to all, each with a flag of his own.
        C1: d STORE 1:2 +FLAGS (\\Seen \\Flagged)
        S1: * 1 FETCH
        S1: * 2 FETCH
        S1: d OK
        C2: d NOOP
        S2~ \\* 1 FETCH \\(UID 1 FLAGS \\(\\\\Flagged \\\\Seen( \\\\Recent)?\\)\\)
        S2~ \\* 2 FETCH \\(UID 2 FLAGS \\(\\\\Flagged( \\\\Recent)?\\)\\)
        S2: d OK
        C3: d NOOP
        S3~ \\* 1 FETCH \\(UID 1 FLAGS \\(\\\\Flagged( \\\\Recent)?\\)\\)
        S3~ \\* 2 FETCH \\(UID 2 FLAGS \\(\\\\Flagged( \\\\Recent)?\\)\\)
        S3: d OK
        C3: e STATUS {BOX} (MESSAGES UNSEEN)
        S3: * STATUS {BOX} (MESSAGES 2 UNSEEN 2)
        S3: e OK
        C2: e STATUS {BOX} (MESSAGES UNSEEN)
        S2: * STATUS {BOX} (MESSAGES 2 UNSEEN 1)
        S2: e OK
        C1: e STATUS INBOX (UNSEEN)
        S1: * STATUS "INBOX" (UNSEEN 0)
        S1: e OK
        """,
    )


def test_seen_comes_along_in_copies_of_a_reader(imap: ImapServer) -> None:
    put(imap, message(1), message(2))
    give(imap, BOB, "lrswi")
    share(
        imap,
        f"""
        C1: a SELECT INBOX
        ...
        S1: a OK
        C1: b STORE 2 +FLAGS.SILENT (\\Seen)
        S1: b OK
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\\Seen)
        S2: b OK
        C2: c COPY 1:2 Trash
        S2: c OK
        C2: d COPY 1:2 {BOX}
        ...2:
        S2: d OK
        C2: e SEARCH SEEN
        S2: * SEARCH 1 3
        S2: e OK
        C2+ f APPEND {BOX} (\\\\Seen) {{9+}}\\r\\nSubject:\\n\\r\\n
        ...2:
        S2: f OK
        C2: g SEARCH SEEN
        S2: * SEARCH 1 3 5
        S2: g OK
        C1: c NOOP
        ...
        S1: c OK
        C1: d SEARCH SEEN
        S1: * SEARCH 2
        S1: d OK
        C2: h SELECT Trash
        ...2:
        S2: h OK
        C2: i SEARCH SEEN
        S2: * SEARCH 1
        S2: i OK
        """,
    )


def test_two_sessions_of_a_reader_see_one_flag_with_modseqs(imap: ImapServer) -> None:
    """RFC 7162: what changed since, and expunges, are told in one row of modseqs."""
    put(imap, message(1), message(2), message(3))
    give(imap, BOB, "lrswte")
    dialog = share(
        imap,
        f"""
        C2: a SELECT {BOX} (CONDSTORE)
        ...2:
        S2~ \\* OK \\[UIDVALIDITY (?P<validity>[0-9]+)\\]
        ...2:
        S2~ \\* OK \\[HIGHESTMODSEQ (?P<first>[0-9]+)\\]
        ...2:
        S2: a OK
        C5: a SELECT {BOX} (CONDSTORE)
        ...5:
        S5: a OK
        C5: b IDLE
        S5: +
        C2: b STORE 2 +FLAGS.SILENT (\\Seen)
        S2~ \\* 2 FETCH \\(UID 2 MODSEQ \\((?P<second>[0-9]+)\\)\\)
        S2: b OK
        S5~ \\* 2 FETCH \\(UID 2 FLAGS \\(\\\\Seen( \\\\Recent)?\\) MODSEQ \\($second\\)\\)
        C5: DONE
        S5: b OK
        C5: c STORE 2 (UNCHANGEDSINCE $first) -FLAGS (\\Seen)
        S5: * 2 FETCH
        S5: c OK [MODIFIED 2]
        C5: d FETCH 1:* (FLAGS) (CHANGEDSINCE $first)
        S5~ \\* 2 FETCH \\(FLAGS \\(\\\\Seen( \\\\Recent)?\\) MODSEQ \\($second\\)\\)
        S5: d OK
        C5: e STORE 2 (UNCHANGEDSINCE $second) -FLAGS.SILENT (\\Seen)
        S5~ \\* 2 FETCH \\(UID 2 MODSEQ \\((?P<third>[0-9]+)\\)\\)
        S5: e OK
        C1: a SELECT INBOX
        ...
        S1: a OK
        C1: b STORE 3 +FLAGS.SILENT (\\Deleted \\Seen)
        S1: b OK
        C1: c EXPUNGE
        S1: * 3 EXPUNGE
        S1: c OK
        C5: f ENABLE QRESYNC
        S5: * ENABLED QRESYNC
        ...5:
        S5: f OK
        C5: g SELECT {BOX} (QRESYNC ($validity $first))
        ...5:
        S5: * VANISHED (EARLIER) 3
        S5~ \\* 2 FETCH \\(UID 2 FLAGS \\((\\\\Recent)?\\) MODSEQ \\($third\\)\\)
        S5: g OK
        """,
    )
    found = [int(dialog.variables[name]) for name in ("first", "second", "third")]
    assert found == sorted(set(found))


def test_seen_may_be_common_by_the_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = ImapSettings(plaintext_login=True, private_seen=False)
    folder = tmp_path_factory.mktemp("common")
    with imap_server(settings, maildir_store(folder)) as imap:
        put(imap, message(1))
        give(imap, BOB, "lrs")
        share(
            imap,
            f"""
            C2: a SELECT {BOX}
            ...2:
            S2: a OK [READ-WRITE]
            C2: b STORE 1 +FLAGS.SILENT (\\Seen)
            S2: b OK
            C1: a STATUS INBOX (UNSEEN)
            S1: * STATUS "INBOX" (UNSEEN 0)
            S1: a OK
            """,
        )


def test_spaces_may_be_named_or_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = ImapSettings(plaintext_login=True, others_prefix="Kollegen", public_prefix="")
    folder = tmp_path_factory.mktemp("named")
    with imap_server(settings, maildir_store(folder)) as imap:
        give(imap, BOB, "lr")
        make_public(imap, "News", Entry("anyone", "lr"))
        share(
            imap,
            """
            C2: a NAMESPACE
            S2: * NAMESPACE (("" "/")) (("Kollegen/" "/")) NIL
            S2: a OK
            C2: b LIST "" K*
            S2: * LIST (\\Noselect \\HasChildren) "/" "Kollegen"
            S2: * LIST (\\Noselect \\HasChildren) "/" "Kollegen/ann@example.test"
            S2: * LIST (\\HasNoChildren) "/" "Kollegen/ann@example.test/INBOX"
            S2: b OK
            C2: c SELECT Public/News
            S2: c NO [NONEXISTENT]
            C2: d CREATE Public/News
            S2: d OK
            """,
        )


def test_sharing_reaches_other_domains_where_it_may(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = ImapSettings(plaintext_login=True, share_everywhere=True)
    folder = tmp_path_factory.mktemp("everywhere")
    with imap_server(settings, maildir_store(folder)) as imap:
        share(
            imap,
            f"""
            C1: a SETACL INBOX mal@other.test lr
            S1: a OK
            C4: a SELECT {BOX}
            ...4:
            S4: a OK [READ-ONLY]
            C1: b SETACL INBOX anyone lrs
            S1: b OK
            C1: c DELETEACL INBOX mal@other.test
            S1: c OK
            C4: b MYRIGHTS {BOX}
            S4: * MYRIGHTS {BOX} lrs
            ...4:
            S4: b OK
            """,
        )


def test_notify_tells_of_shared_mailboxes(imap: ImapServer) -> None:
    put(imap, message(1))
    events = "(MessageNew MessageExpunge FlagChange MailboxName)"
    share(
        imap,
        f"""
        C2: b NOTIFY SET (personal {events}) (subtree "Other Users" {events})
        S2: b OK
        C1: a SETACL INBOX bob lrsi
        S1: a OK
        S2: * LIST (\\NonExistent \\HasChildren) "/" "Other Users"
        S2: * LIST (\\NonExistent \\HasChildren) "/" "Other Users/ann@example.test"
        S2: * LIST (\\HasNoChildren) "/" {BOX}
        C1+ b APPEND INBOX {{9+}}\\r\\nSubject:\\n\\r\\n
        S1: b OK
        S2: * STATUS {BOX} (UIDNEXT 3 MESSAGES 2
        C1: c SETACL INBOX bob ""
        S1: c OK
        S2: * LIST (\\NonExistent) "/" "Other Users"
        """,
    )


def test_multisearch_goes_through_what_may_be_read(imap: ImapServer) -> None:
    put(imap, message(1))
    put(imap, message(2), folder="Sent")
    put(imap, message(3), user=BOB)
    give(imap, BOB, "lr")
    give(imap, BOB, "l", folder="Sent")
    share(
        imap,
        f"""
        C2: a ESEARCH IN (personal) RETURN (ALL) SUBJECT number
        S2~ \\* ESEARCH \\(TAG "a" MAILBOX "INBOX" UIDVALIDITY [0-9]+\\) UID ALL 1
        S2: a OK
        C2: b ESEARCH IN (subtree "Other Users") RETURN (ALL) SUBJECT number
        S2~ \\* ESEARCH \\(TAG "b" MAILBOX {BOX} UIDVALIDITY [0-9]+\\) UID ALL 1
        S2: b OK
        """,
    )


def test_room_is_the_owners(imap: ImapServer) -> None:
    imap.gate.quota_bytes = len(message(1)) * 2 + 20
    put(imap, message(1), user=BOB)
    give(imap, BOB, "lri")
    big = "Subject: " + "x" * 100
    share(
        imap,
        f"""
        C1: a GETQUOTAROOT INBOX
        S1: * QUOTAROOT "INBOX" "user"
        S1: * QUOTA "user" (STORAGE 0
        S1: a OK
        C2: a GETQUOTAROOT {BOX}
        S2: * QUOTAROOT {BOX} "user/ann@example.test"
        S2: * QUOTA "user/ann@example.test" (
        S2: a OK
        C2: b GETQUOTA "user/ann@example.test"
        S2: * QUOTA "user/ann@example.test" (
        S2: b OK
        C2: c GETQUOTA "user/eve@example.test"
        S2: c NO [NONEXISTENT]
        C2: d GETQUOTA "user/"
        S2: d NO [NONEXISTENT]
        C2: e GETQUOTA public
        S2: e NO [NONEXISTENT]
        C2: f SELECT INBOX
        ...2:
        S2: f OK
        C2: g COPY 1 {BOX}
        S2: g OK
        C2+ h APPEND {BOX} {{{len(big) + 4}+}}\\r\\n{big}\\n\\r\\n\\n\\r\\n
        S2: h OK
        """,
    )


def test_annotations_of_shared_mailboxes(imap: ImapServer) -> None:
    give(imap, BOB, "lr")
    give(imap, BOB, "l", folder="Sent")
    share(
        imap,
        f"""
        C1: a SETMETADATA INBOX (/shared/comment "ours" /private/comment "mine")
        S1: a OK
        C2: a GETMETADATA {BOX} (/shared/comment /private/comment)
        S2: * METADATA {BOX} (/shared/comment "ours" /private/comment NIL)
        S2: a OK
        C2: b SETMETADATA {BOX} (/private/comment "bobs")
        S2: b OK
        C2: c SETMETADATA {BOX} (/shared/comment "bobs")
        S2: c NO [NOPERM]
        C2: d GETMETADATA "Other Users/ann@example.test/Sent" /shared/comment
        S2: d NO [NOPERM]
        C1: b GETMETADATA INBOX (/shared/comment /private/comment)
        S1: * METADATA "INBOX" (/shared/comment "ours" /private/comment "mine")
        S1: b OK
        C1: c SETACL INBOX bob lrw
        S1: c OK
        C2: e SETMETADATA {BOX} (/shared/comment "both")
        S2: e OK
        """,
    )


def test_s2342_own_folder_of_such_a_name_stays(imap: ImapServer) -> None:
    """A user who had a folder below the name of a namespace keeps it."""
    imap.store.account(AccountRef(BOB, f"example.test/{BOB}")).create("Public/old")
    make_public(imap, "News", Entry("anyone", "lr"))
    share(
        imap,
        """
        C2: a LIST "" Public/*
        S2: * LIST (\\HasNoChildren) "/" "Public/News"
        S2: * LIST (\\HasNoChildren) "/" "Public/old"
        S2: a OK
        C2: b SELECT Public/old
        ...2:
        S2: b OK [READ-WRITE]
        C2: c RENAME Public/old older
        S2: c OK
        """,
    )
