"""RFC 4314 4: which right each command needs, and what it does without it."""

import pytest

from mailnode.access.imap.commands import selecting
from mailnode.access.imap.selected import News, Selected
from mailnode.store.acl import Entry
from tests.support.imap_server import ImapServer, message
from tests.support.sharers import ANN, BOB, give, make_public, put, share

BOX = '"Other Users/ann@example.test/INBOX"'
# Each right alone, with "l" so that NOPERM may be told, and "r" where the mailbox must be selected.


def test_without_any_right_there_is_no_such_mailbox(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "", folder="INBOX")
    give(imap, BOB, "l", folder="Sent")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        S2: a NO [NONEXISTENT]
        C2: b STATUS {BOX} (MESSAGES)
        S2: b NO [NONEXISTENT]
        C2: c RENAME {BOX} "Other Users/ann@example.test/x"
        S2: c NO [NONEXISTENT]
        C2: d DELETE {BOX}
        S2: d NO [NONEXISTENT]
        C2+ e APPEND {BOX} {{9+}}\\r\\nSubject:\\n\\r\\n
        S2: e NO [TRYCREATE]
        C2: f GETMETADATA {BOX} /shared/comment
        S2: f NO [NONEXISTENT]
        C2: g GETQUOTAROOT {BOX}
        S2: g NO [NONEXISTENT]
        C2: h LIST "" *
        S2: * LIST (\\HasNoChildren) "/" "INBOX"
        ...2:
        S2: * LIST (\\Noselect \\HasChildren) "/" "Other Users"
        S2: * LIST (\\Noselect \\HasChildren) "/" "Other Users/ann@example.test"
        S2: * LIST (\\HasNoChildren) "/" "Other Users/ann@example.test/Sent"
        S2: * LIST (\\HasNoChildren \\Sent) "/" "Sent"
        S2: * LIST (\\HasNoChildren \\Trash) "/" "Trash"
        S2: h OK
        C2: i SELECT "Other Users/ann@example.test/Sent"
        S2: i NO [NOPERM]
        C2: j STATUS "Other Users/ann@example.test/Sent" (MESSAGES)
        S2: j NO [NOPERM]
        """,
    )


def test_l_is_for_list_and_lsub_only(imap: ImapServer) -> None:
    give(imap, BOB, "r")
    share(
        imap,
        f"""
        C2: a LIST "" "Other Users/*"
        S2: a OK
        C2: b SUBSCRIBE {BOX}
        S2: b OK
        C2: c SELECT {BOX}
        ...2:
        S2: c OK [READ-ONLY]
        C2: d STATUS {BOX} (MESSAGES)
        S2: * STATUS {BOX} (MESSAGES 0)
        S2: d OK
        """,
    )


def test_r_reads_and_changes_nothing(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "lr")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: * OK [PERMANENTFLAGS ()]
        ...2:
        S2: a OK [READ-ONLY]
        C2: b FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]
        S2: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]
        ...2:
        S2: b OK
        C2: c FETCH 1 FLAGS
        S2: * 1 FETCH (FLAGS (
        S2: c OK
        C2: d STORE 1 +FLAGS (\\Flagged)
        S2: d NO [NOPERM]
        C2: e STORE 1 +FLAGS (\\Seen)
        S2: e NO [NOPERM]
        C2: f STORE 1 +FLAGS (\\Deleted)
        S2: f NO [NOPERM]
        C2: g STORE 1 FLAGS ()
        S2: g NO [NOPERM]
        C2: h STORE 1 +FLAGS (word)
        S2: h NO [NOPERM]
        C2: i EXPUNGE
        S2: i NO [NOPERM]
        C2: j UID EXPUNGE 1
        S2: j NO [NOPERM]
        C2: k MOVE 1 Trash
        S2: k NO [NOPERM]
        C2+ l REPLACE 1 INBOX {{9+}}\\r\\nSubject:\\n\\r\\n
        S2: l NO [NOPERM]
        C2: m COPY 1 {BOX}
        S2: m NO [NOPERM]
        C2+ n APPEND {BOX} {{9+}}\\r\\nSubject:\\n\\r\\n
        S2: n NO [NOPERM]
        C2: o COPY 1 Trash
        S2: o OK [COPYUID
        C2: p SEARCH SUBJECT number
        S2: * SEARCH 1
        S2: p OK
        C2: q CLOSE
        S2: q OK
        C2: r STATUS INBOX (MESSAGES)
        S2: * STATUS "INBOX" (MESSAGES 0)
        S2: r OK
        """,
    )


@pytest.mark.parametrize(
    ("right", "flag", "others"),
    [
        ("s", r"\Seen", r"\Deleted"),
        ("t", r"\Deleted", r"\Flagged"),
        ("w", r"\Answered", r"\Seen"),
        ("w", "word", r"\Deleted"),
    ],
)
def test_s_t_and_w_are_for_their_flags(
    imap: ImapServer, right: str, flag: str, others: str
) -> None:
    put(imap, message(1))
    give(imap, BOB, "lr" + right)
    dialog = share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT ({others})
        S2: b NO [NOPERM]
        # RFC 4314 4: it works if one of the flags may be changed; the others are left.
        C2: c STORE 1 +FLAGS.SILENT ({others} {flag})
        ...2:
        S2: c OK
        C2: d UID FETCH 1 FLAGS
        S2~ \\* 1 FETCH \\(UID 1 FLAGS \\((?P<flags>.*)\\)\\)
        S2: d OK
        """,
    )
    assert set(dialog.variables["flags"].split()) - {r"\Recent"} == {flag}
    dialog.play(
        f"""
        C2: e STORE 1 FLAGS.SILENT ({others})
        ...2:
        S2: e OK
        C2: g UID FETCH 1 FLAGS
        S2~ \\* 1 FETCH \\(UID 1 FLAGS \\((\\\\Recent)?\\)\\)
        S2: g OK
        """
    )


@pytest.mark.parametrize(
    ("rights", "permanent", "code"),
    [
        ("lr", r"()", "READ-ONLY"),
        # RFC 4314 5.2: a flag that nobody else sees makes nothing READ-WRITE.
        ("lrs", r"(\Seen)", "READ-ONLY"),
        ("lrt", r"(\Deleted)", "READ-WRITE"),
        ("lrw", r"(\Answered \Flagged \Draft \*)", "READ-WRITE"),
        ("lri", r"()", "READ-WRITE"),
        ("lre", r"()", "READ-WRITE"),
        ("lrp", r"()", "READ-ONLY"),
        ("lrswte", r"(\Answered \Flagged \Deleted \Seen \Draft \*)", "READ-WRITE"),
    ],
)
def test_s5_2_read_only_and_permanent_flags(
    imap: ImapServer, rights: str, permanent: str, code: str
) -> None:
    give(imap, BOB, rights)
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: * OK [PERMANENTFLAGS {permanent}]
        ...2:
        S2: a OK [{code}]
        C2: b EXAMINE {BOX}
        ...2:
        S2: * OK [PERMANENTFLAGS ()]
        ...2:
        S2: b OK [READ-ONLY]
        C2: c STORE 1 +FLAGS (\\Seen)
        S2: c NO [CANNOT]
        """,
    )


def test_s_is_needed_to_become_seen_by_fetch(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "lrwtie")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK [READ-WRITE]
        C2: b FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]
        S2: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]
        ...2:
        S2: b OK
        C2: c SEARCH UNSEEN
        S2: * SEARCH 1
        S2: c OK
        C1: a SETACL INBOX bob +s
        S1: a OK
        C2: d NOOP
        ...2:
        S2: d OK
        C2: e FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]
        S2: * 1 FETCH (FLAGS (\\Seen
        ...2:
        S2: e OK
        """,
    )


def test_t_and_e_to_delete(imap: ImapServer) -> None:
    put(imap, message(1), message(2), message(3))
    give(imap, BOB, "lrt")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK [READ-WRITE]
        C2: b STORE 1 +FLAGS.SILENT (\\Deleted)
        S2: b OK
        C2: c EXPUNGE
        S2: c NO [NOPERM]
        # RFC 4314 4: CLOSE expunges nothing then, and works.
        C2: d CLOSE
        S2: d OK
        C1: a STATUS INBOX (MESSAGES)
        S1: * STATUS "INBOX" (MESSAGES 3)
        S1: a OK
        C1: b SETACL INBOX bob lre
        S1: b OK
        C2: e SELECT {BOX}
        ...2:
        S2: e OK [READ-WRITE]
        C2: f MOVE 2 Trash
        S2: f NO [NOPERM]
        C2: g EXPUNGE
        S2: * 1 EXPUNGE
        S2: g OK
        C1: c SETACL INBOX bob lret
        S1: c OK
        C2: h MOVE 1 Trash
        S2: * OK [COPYUID
        ...2:
        S2: * 1 EXPUNGE
        S2: h OK
        C2: i STATUS Trash (MESSAGES)
        S2: * STATUS "Trash" (MESSAGES 1)
        S2: i OK
        C1: d STATUS INBOX (MESSAGES)
        S1: * STATUS "INBOX" (MESSAGES 1)
        S1: d OK
        """,
    )


def test_i_appends_and_copies_with_the_flags_that_may_be_set(imap: ImapServer) -> None:
    put(imap, message(1), user=BOB)
    give(imap, BOB, "lri")
    share(
        imap,
        f"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\\Seen \\Flagged \\Deleted word)
        ...2:
        S2: b OK
        C2: c COPY 1 {BOX}
        S2: c OK [COPYUID
        C2+ d APPEND {BOX} (\\\\Seen \\\\Draft \\\\Deleted other) {{9+}}\\r\\nSubject:\\n\\r\\n
        S2: d OK [APPENDUID
        C1: a SELECT INBOX
        ...
        S1: a OK
        C1: b UID FETCH 1:* FLAGS
        S1~ \\* 1 FETCH \\(UID 1 FLAGS \\((\\\\Recent)?\\)\\)
        S1~ \\* 2 FETCH \\(UID 2 FLAGS \\((\\\\Recent)?\\)\\)
        S1: b OK
        C1: c SETACL INBOX bob lriwt
        S1: c OK
        C2: e COPY 1 {BOX}
        S2: e OK [COPYUID
        C2+ f APPEND {BOX} (\\\\Seen \\\\Draft \\\\Deleted other) {{9+}}\\r\\nSubject:\\n\\r\\n
        S2: f OK [APPENDUID
        C1: d NOOP
        ...
        S1: d OK
        C1: e UID FETCH 3:4 FLAGS
        S1~ \\* 3 FETCH \\(UID 3 FLAGS \\(\\\\Flagged \\\\Deleted.* word\\)\\)
        S1~ \\* 4 FETCH \\(UID 4 FLAGS \\(\\\\Deleted \\\\Draft.* other\\)\\)
        S1: e OK
        # Who may only insert can do so without being able to look.
        C1: f SETACL INBOX bob li
        S1: f OK
        C2: g COPY 1 {BOX}
        S2: g OK copied
        C2: h MOVE 1 {BOX}
        S2: * 1 EXPUNGE
        ...2:
        S2: h OK
        C2: i SELECT {BOX}
        S2: * OK [CLOSED]
        S2: i NO [NOPERM]
        """,
    )


def test_k_and_x_to_make_delete_and_rename(imap: ImapServer) -> None:
    top = "Other Users/ann@example.test"
    share(
        imap,
        f"""
        C1: a CREATE Team
        S1: a OK
        C1: b SETACL Team bob lrk
        S1: b OK
        C2: a CREATE "{top}/Team/one"
        S2: a OK [MAILBOXID
        # A new mailbox begins with its parent's list.
        C2: b MYRIGHTS "{top}/Team/one"
        S2: * MYRIGHTS "{top}/Team/one" lrkc
        S2: b OK
        C2: c DELETE "{top}/Team/one"
        S2: c NO [NOPERM]
        C2: d RENAME "{top}/Team/one" "{top}/Team/two"
        S2: d NO [NOPERM]
        C1: c SETACL Team/one bob lrx
        S1: c OK
        C2: e RENAME "{top}/Team/one" "{top}/Team/two"
        S2: e OK
        C2: f RENAME "{top}/Team/two" "{top}/two"
        S2: f NO
        C2: g RENAME "{top}/Team/two" two
        S2: g NO [CANNOT]
        C2: h RENAME Trash "{top}/Team/Trash"
        S2: h NO [CANNOT]
        C1: d SETACL Team bob lr
        S1: d OK
        C2: i RENAME "{top}/Team/two" "{top}/Team/three"
        S2: i NO [NOPERM]
        C2: j CREATE "{top}/Team/four"
        S2: j NO [NOPERM]
        C2: k CREATE "{top}/five"
        S2: k NO
        C2: l CREATE "{top}/Team/two/deep"
        S2: l NO [NOPERM]
        C2: m DELETE "{top}/Team/two"
        S2: m OK
        C1: e LIST "" Team*
        S1: * LIST (\\HasNoChildren) "/" "Team"
        S1: e OK
        C2: n DELETE "{top}/INBOX"
        S2: n NO [NONEXISTENT]
        C2: o CREATE "Other Users/nobody@example.test/x"
        S2: o NO [NONEXISTENT]
        C2: p CREATE "Other Users"
        S2: p NO [CANNOT]
        C2: q CREATE "Other Users/x"
        S2: q NO
        C2: r RENAME Trash Public
        S2: r NO [CANNOT]
        """,
    )


def test_inbox_of_another_stays(imap: ImapServer) -> None:
    give(imap, BOB, "lrswipkxtea")
    top = "Other Users/ann@example.test"
    share(
        imap,
        f"""
        C2: a DELETE "{top}/INBOX"
        S2: a NO [CANNOT]
        C2: b RENAME "{top}/INBOX" "{top}/INBOX/old"
        S2: b NO [CANNOT]
        C2: c CREATE "{top}/INBOX/below"
        S2: c OK
        """,
    )


def test_names_lead_nowhere_else(imap: ImapServer) -> None:
    """No name reaches an account that shares nothing, or anything beside the accounts."""
    put(imap, message(1))
    give(imap, BOB, "lr")
    tries = [
        "Other Users/eve@example.test/INBOX",
        "Other Users/../ann@example.test/INBOX",
        "Other Users/ann@example.test/../INBOX",
        "Other Users/ann@example.test/..",
        "Other Users/ann@example.test",
        "Other Users/ann@example.test/",
        "Other Users//INBOX",
        "Other Users/bob@example.test/INBOX",
        "Other Users/*/INBOX",
        "Other Users/ann@example.test/.mailnode/x",
        "other users/ann@example.test/INBOX",
        "Public/INBOX",
        "Public/../example.test",
        "Public/x",
    ]
    lines = "".join(
        f'C2: t{n} EXAMINE "{name}"\nS2: t{n} NO\nC2: u{n} GETACL "{name}"\nS2: u{n} NO\n'
        for n, name in enumerate(tries)
    )
    share(imap, lines)
    # Nor from another domain, whatever the list says.
    give(imap, "mal@other.test", "lrswipkxtea")
    give(imap, "anyone", "lrswipkxtea")
    share(
        imap,
        f"""
        C4: a SELECT {BOX}
        S4: a NO [NONEXISTENT]
        C4: b LIST "" "Other*"
        S4: b OK
        """,
    )


def test_public_folders_are_of_a_domain(imap: ImapServer) -> None:
    make_public(imap, "", Entry("anyone", "l"), Entry(ANN, "lk"))
    make_public(imap, "News", Entry("anyone", "lr"), Entry(ANN, "lrswipkxtea"))
    make_public(imap, "Board", Entry(ANN, "lr"))
    make_public(imap, "Theirs", Entry("anyone", "lr"), domain="other.test")
    share(
        imap,
        """
        C2: a LIST "" Public*
        S2: * LIST (\\Noselect \\HasChildren) "/" "Public"
        S2: * LIST (\\HasNoChildren) "/" "Public/News"
        S2: a OK
        C1: a LIST "" Public/%
        S1: * LIST (\\HasNoChildren) "/" "Public/Board"
        S1: * LIST (\\HasNoChildren) "/" "Public/News"
        S1: a OK
        C4: a LIST "" Public/%
        S4: * LIST (\\HasNoChildren) "/" "Public/Theirs"
        S4: a OK
        C4: b SELECT Public/News
        S4: b NO [NONEXISTENT]
        C2: b SELECT Public/Board
        S2: b NO [NONEXISTENT]
        C2: c SELECT Public/News
        ...2:
        S2: c OK [READ-ONLY]
        C2: d CREATE Public/Mine
        S2: d NO [NOPERM]
        C1: b CREATE Public/Fresh
        S1: b OK
        C1: c MYRIGHTS Public/Fresh
        S1: * MYRIGHTS "Public/Fresh" lkc
        S1: c OK
        C1: d GETACL Public/News
        S1: * ACL "Public/News" anyone lr ann@example.test lrswipkxteacd
        S1: d OK
        C1: e SETACL Public/News owner lr
        S1: e NO [CANNOT]
        C1: f SETACL Public/News bob lri
        S1: f OK
        C2: e MYRIGHTS Public/News
        S2: * MYRIGHTS "Public/News" lri
        S2: * OK [READ-WRITE]
        ...2:
        S2: e OK
        C2: f SETACL Public/News bob +a
        S2: f NO [NOPERM]
        """,
    )


def test_a_mailbox_that_may_not_be_deleted_stays_selected(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "lr")
    share(
        imap,
        """
        C2: a SELECT "Other Users/ann@example.test/INBOX"
        ...2:
        S2: a OK
        C2: b DELETE "Other Users/ann@example.test/INBOX"
        S2: b NO
        C2: c FETCH 1 UID
        S2: * 1 FETCH (UID 1)
        S2: c OK
        """,
    )


def test_who_may_only_put_messages_there_learns_no_uids(imap: ImapServer) -> None:
    """RFC 4315 3, RFC 9051 6.3.12, 6.4.7, 6.4.8."""
    put(imap, message(1))
    give(imap, BOB, "li")
    share(
        imap,
        r"""
        C2: a APPEND "Other Users/ann@example.test/INBOX" {5+}
        C2: a: b
        ...2:
        S2: a OK message kept
        C2: b APPEND INBOX {5+}
        C2: a: b
        ...2:
        S2: b OK [APPENDUID
        C2: s SELECT INBOX
        ...2:
        S2: s OK
        C2: c COPY 1 "Other Users/ann@example.test/INBOX"
        S2: c OK copied
        C2+ d REPLACE 1 "Other Users/ann@example.test/INBOX" {6+}\r\na: b\r\n\r\n
        S2: * OK the new message is kept
        ...2:
        S2: d OK
        C2: e APPEND INBOX {5+}
        C2: a: b
        ...2:
        S2: e OK
        C2: f MOVE * "Other Users/ann@example.test/INBOX"
        S2: * 1 EXPUNGE
        ...2:
        S2: f OK
        """.replace("{5+}\n        C2: a: b", "{6+}\n        C2: a: b\n        C2+ \\r\\n"),
    )


def test_who_reads_without_l_keeps_the_mailbox_open(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "rs")
    share(
        imap,
        f"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK
        C2: b EXPUNGE
        S2: b NO [NOPERM]
        C2: c STORE 1 +FLAGS.SILENT (\\Deleted)
        S2: c NO [NOPERM]
        C2: d UID MOVE 1 Trash
        S2: d NO [NOPERM]
        C2: e FETCH 1 UID
        S2: * 1 FETCH (UID 1)
        S2: e OK
        """,
    )


def test_close_works_for_who_lost_the_right_to_expunge_just_now(
    imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 4314 4. What the session knows of its rights may be older than what the store finds."""
    put(imap, message(1))
    give(imap, BOB, "lrte")
    dialog = share(
        imap,
        rf"""
        C2: a SELECT {BOX}
        ...2:
        S2: a OK [READ-WRITE]
        C2: b STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        """,
    )

    def late(selected: Selected, uids: list[int] | None) -> tuple[list[int], News | None]:
        give(imap, BOB, "lrt")
        return selected.folder.expunge(uids), selected.look()

    monkeypatch.setattr(selecting, "expunge", late)
    dialog.play(
        """
        C2: c CLOSE
        S2: c OK
        C2: d FETCH 1 FLAGS
        S2: d BAD
        C1: a STATUS INBOX (MESSAGES)
        S1: * STATUS "INBOX" (MESSAGES 1)
        S1: a OK
        """
    )
