"""RFC 5182: SEARCHRES."""

import pytest

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_saved_result(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 5)))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (SAVE) 2:3
        S: a OK
        C: b FETCH $ (UID)
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: b OK
        C: c SEARCH $ 3
        S: * SEARCH 3
        S: c OK
        C: d UID STORE 2 +FLAGS.SILENT (\Deleted)
        S: d OK
        C: e EXPUNGE
        S: * 2 EXPUNGE
        ...
        S: e OK
        C: f UID FETCH $ (FLAGS)
        S~ \* 2 FETCH \(UID 3 .*\)
        S: f OK
        C: x UID STORE 1,3 +FLAGS.SILENT (\Deleted)
        S: x OK
        C: y UID EXPUNGE $
        S: * 2 EXPUNGE
        ...
        S: y OK
        C: g SEARCH RETURN (SAVE MIN) ALL
        S: * ESEARCH (TAG "g") MIN 1
        S: g OK
        C: h FETCH $ (UID)
        S: * 1 FETCH (UID 1)
        S: h OK
        """
    )


def test_nothing_saved_is_an_empty_set(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(SELECT + r"C: a FETCH $ FLAGS" + "\nS: a OK")


@pytest.mark.parametrize("command", ["SEARCH", "UID SEARCH", "SORT"])
def test_s2_1_a_search_that_is_refused_leaves_nothing(imap: ImapServer, command: str) -> None:
    imap.deliver(message(1))
    rest = "(DATE) X-NONE" if command == "SORT" else "CHARSET X-NONE"
    imap.play(
        f"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SEARCH RETURN (SAVE) ALL
        S: a OK
        C: b {command} RETURN (COUNT) {rest} ALL
        S: b NO [BADCHARSET]
        C: c FETCH $ UID
        S: * 1 FETCH (UID 1)
        S: c OK
        C: d {command} RETURN (SAVE) {rest} ALL
        S: d NO [BADCHARSET]
        C: e FETCH $ UID
        S: e OK
        """
    )
